"""Cross-validation inside the training cases: of trainings, and of choices at test time."""
