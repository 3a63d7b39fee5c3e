// Run once, by MongoDB's own image, when the database is made: the one user that hipreg needs.
db.getSiblingDB('sacred').createUser({
  user: process.env.HIPREG_LAB_USER,
  pwd: process.env.HIPREG_LAB_PASSWORD,
  roles: [{ role: 'readWrite', db: 'sacred' }],
});
