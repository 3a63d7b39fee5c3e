"""The recorded runs in MongoDB, in Sacred's schema: what is in a run folder, and nothing else.

One way leads from a run folder to the database, :class:`experiments.mongo.push.RunMirror`, whether
the run is under way (:mod:`experiments.mirror`) or long over (:mod:`experiments.sync`).
"""
