// What a browser sees at its first visit: the columns that tell runs apart, before those that do
// not. Omniboard would show every field of a run, the metrics far to the right. What somebody
// chooses is kept by the browser and never changed.
'use strict';

const fs = require('fs');

const KEY = 'default|RunsTable|1'; // where Omniboard keeps what is chosen
const PREFIX = 'c_'; // of its columns for configuration entries
const SHOWN_FIRST = ['_id', 'experiment_name', 'status'];
const SHOWN_LAST = ['result', 'duration', 'start_time', 'tags', 'notes'];
const HIDDEN = ['hostname', 'command', 'heartbeat', 'stop_time', 'format', 'resources'];
const WIDTHS = {
  _id: 70, experiment_name: 110, configuration: 200, start_time: 170, tags: 220, notes: 220,
};
const OF_SACRED = {
  experiment_name: 'experiment.name',
  hostname: 'host.hostname',
  tags: 'omniboard.tags',
  notes: 'omniboard.notes',
};

// The columns and which of them are shown, as Omniboard's table keeps them.
async function firstView(connection) {
  const listed = (name) => connection.collection(name).find({}).toArray();
  const [metrics, custom, newest] = await Promise.all([
    listed('omniboard.metric.columns'),
    listed('omniboard.custom.columns'),
    connection.collection('runs').findOne({}, { sort: { _id: -1 }, projection: { config: 1 } }),
  ]);
  const entries = Object.keys((newest && newest.config) || {});
  const chosen = custom.map((column) => column.name);
  const measured = metrics.map((column) => column.name);
  const shown = [...SHOWN_FIRST, ...chosen, ...measured, ...SHOWN_LAST];
  const hidden = [...HIDDEN, ...entries.map((entry) => PREFIX + entry)];
  const option = (selected) => (value) => ({
    label: value[0].toUpperCase() + value.slice(1),
    value,
    selected,
  });
  return {
    columnOrder: shown,
    columnWidths: Object.fromEntries([
      ...[...shown, ...hidden].map((name) => [name, WIDTHS[name] || 120]),
      ...measured.map((name) => [name, 155]), // all digits of a number
    ]),
    columnNameMap: {
      ...OF_SACRED,
      ...Object.fromEntries(entries.map((entry) => [PREFIX + entry, `config.${entry}`])),
      ...Object.fromEntries(custom.map((column) => [column.name, column.config_path])),
    },
    dropdownOptions: [...shown.map(option(true)), ...hidden.map(option(false))],
    metricAndCustomColumns: [
      ...measured.map((name) => ({ name, value: name })),
      ...custom.map((column) => ({ name: column.name, value: column.config_path })),
    ],
  };
}

// Omniboard's page, with a first view for a browser that has none.
async function page(file, connection) {
  const html = await fs.promises.readFile(file, 'utf8');
  const view = JSON.stringify(JSON.stringify(await firstView(connection))).replace(/</g, '\\u003c');
  const key = JSON.stringify(KEY);
  const script = `if (!localStorage.getItem(${key})) localStorage.setItem(${key}, ${view});`;
  return html.replace('<div id="root">', () => `<script>${script}</script><div id="root">`);
}

module.exports = { page };
