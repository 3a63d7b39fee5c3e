// Starts Omniboard, which as it is listens on all interfaces, lets every web page read and delete
// runs, takes its login from the command line and ends at the first missing file.
//
// Everything comes by the environment, which the list of processes does not show:
//   MONGO_URI         the database, with its name in the path
//   PORT              the first port to try; Omniboard itself goes on to the next while one is taken
//   OMNIBOARD_HOST    the interface, 127.0.0.1 unless a container needs another
//   OMNIBOARD_LOGIN   user:password for the browser; none: no login
//   OMNIBOARD_PARENT  "1": end when standard input ends, so that nothing outlives who started it
'use strict';

const crypto = require('crypto');
const http = require('http');
const net = require('net');
const path = require('path');
const { createRequire } = require('module');
const view = require('./view');

// The very modules that Omniboard uses, wherever npm puts them.
const its = createRequire(require.resolve('omniboard/package.json'));
const express = its('express');
const mongoose = its('mongoose');

const HOST = process.env.OMNIBOARD_HOST || '127.0.0.1';
const OWN_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);

process.env.NODE_ENV = 'production';

if (process.env.OMNIBOARD_LOGIN) {
  const secret = crypto.randomBytes(24).toString('hex');
  process.argv.push('-u', `${process.env.OMNIBOARD_LOGIN}:${secret}`);
}

if (process.env.OMNIBOARD_PARENT === '1') {
  process.stdin.on('end', () => process.exit(0));
  process.stdin.resume();
}

// A file that is not in the database raises where nobody can catch it.
let listening = false;
process.on('uncaughtException', (error) => {
  console.error(error.stack);
  if (!listening) process.exit(1);
});

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function listenHere(port, callback) {
  this.once('listening', () => {
    listening = true;
    console.log(`LISTENING ${this.address().port}`);
  });
  return listen.call(this, Number(port), HOST, callback);
};

// Another page in the same browser may send requests here under its own or a borrowed name.
function fromOutside(request) {
  const name = (request.headers.host || '').replace(/:\d+$/, '');
  const origin = request.headers.origin;
  return !OWN_NAMES.has(name) || (origin !== undefined && origin !== `http://${request.headers.host}`);
}

const createServer = http.createServer;
http.createServer = function createGuarded(handler) {
  return createServer.call(http, (request, response) => {
    if (fromOutside(request)) {
      response.writeHead(403, { 'Content-Type': 'text/plain' });
      response.end('Omniboard answers to http://localhost alone.\n');
      return;
    }
    handler(request, response);
  });
};

// The page goes out where Omniboard sends it, behind its login; as it is where the view fails.
const sendFile = express.response.sendFile;
express.response.sendFile = function sendPage(file, ...rest) {
  if (path.basename(file) !== 'index.html') return sendFile.call(this, file, ...rest);
  return view.page(path.normalize(file), connection).then(
    (html) => this.type('html').send(html),
    (error) => {
      console.error(error.stack);
      sendFile.call(this, file, ...rest);
    },
  );
};

// JSON has no word for NaN; Omniboard would draw the null that stands for it as 0.
const json = express.response.json;
express.response.json = function sendJson(body) {
  this.app.set('json replacer', (_key, value) =>
    (typeof value === 'number' && !Number.isFinite(value) ? String(value) : value));
  return json.call(this, body);
};

// The usual topology of this driver logs in with a message that MongoDB 5.1 and later refuse.
const createConnection = mongoose.createConnection.bind(mongoose);
let connection;
mongoose.createConnection = (uri) => {
  connection = createConnection(uri, {
    autoIndex: false,
    poolSize: 10,
    useCreateIndex: true,
    useFindAndModify: false,
    useNewUrlParser: true,
    useUnifiedTopology: true,
  });
  return connection;
};

// Omniboard joins every metric of every run by an expression, for which a server without an index
// for expressions reads the whole collection each time. The same by equality, and only for the
// metrics that are shown.
function joinedByEquality(stages) {
  const at = stages.findIndex((stage) => stage.$lookup && stage.$lookup.from === 'metrics');
  const unwind = at > 0 && stages[at - 1].$unwind;
  if (!unwind || unwind.path !== '$info.metrics') return stages;
  const names = stages[at].$lookup.pipeline[0].$match.$expr.$and[1].$in[1];
  const shown = {
    $filter: {
      input: { $ifNull: ['$info.metrics', []] },
      as: 'metric',
      cond: { $in: ['$$metric.name', names] },
    },
  };
  return [
    ...stages.slice(0, at - 1),
    { $addFields: { 'info.metrics': shown } },
    stages[at - 1],
    { $addFields: { metric_id: { $toObjectId: '$info.metrics.id' } } },
    {
      $lookup: {
        from: 'metrics',
        localField: 'metric_id',
        foreignField: '_id',
        pipeline: [{ $project: { name: 1, values: 1 } }], // beside localField from MongoDB 5 on
        as: 'metrics',
      },
    },
    { $project: { metric_id: 0 } },
    ...stages.slice(at + 1),
  ];
}

const aggregate = mongoose.Model.aggregate;
mongoose.Model.aggregate = function aggregateByEquality(pipeline, ...rest) {
  return aggregate.call(this, joinedByEquality(pipeline), ...rest);
};

require('omniboard/dist/start.js');
