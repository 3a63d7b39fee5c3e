# The front door. Needs Python 3.11 to 3.13, git and make; everything else goes into .venv.

VENV ?= .venv
# The Python that .venv is made from; the first fitting one where it is not given.
PYTHON ?=
# make train: the configurations and settings, as in WITH="quick sym epochs=3".
WITH ?= quick
# make test: further options for pytest, as in ARGS="-k warp -x".
ARGS ?=

RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
VERSION := import sys; print(sys.version_info[:2])
FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

.DEFAULT_GOAL := help
.PHONY: help train best omniboard results test lint clean-env same-python

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

train: $(VENV)/.for-use  ## train the quick profile and print the ablation table
	$(RUN) experiments/train.py with $(WITH)
	$(RUN) results/ablation.py

best: $(VENV)/.for-use  ## train the most accurate recipe: under an hour on two cores
	$(RUN) experiments/segment.py with best
	$(RUN) experiments/train.py with best
	$(RUN) results/ablation.py

omniboard: $(VENV)/.for-omniboard  ## see the recorded runs in a browser (needs Node.js); Ctrl-C ends it
	@$(RUN) -m experiments.omniboard

results: $(VENV)/.for-use  ## make the committed tables, figures and reports from the records
	@for study in results/records/study_*; do \
		name=$${study##*/study_}; \
		echo $(RUN) studies/report.py $$name --storage $$study/$$name.journal --out $$study; \
		$(RUN) studies/report.py $$name --storage $$study/$$name.journal --out $$study || exit; \
	done
	$(RUN) results/ablation.py --runs results/records/study_loss_weights/retrained --format md \
		--out results/records/study_loss_weights/retrained \
		--reference "quick, width 2, published weights"
	$(RUN) results/ablation.py --runs results/records/study_recipe/retrained --format md \
		--out results/records/study_recipe/retrained \
		--reference "quick, width 2, published recipe"
	$(RUN) results/ablation.py --runs results/records/crop --format md --out results/records/crop \
		--reference "quick, width 2, 8 epochs, crop None"
	$(RUN) results/cross_validation.py results/records/cross_validation
	$(RUN) results/ablation.py --runs results/records --out results/made
	$(RUN) results/figures.py --runs results/records --out results/made/figures --peers results/peers \
		$(if $(wildcard results/smoothness/*.json),--smoothness results/smoothness)
	$(RUN) results/report.py --runs results/records --out results/made

test: $(VENV)/.for-development  ## run the tests, without those that take minutes (ARGS="-m slow")
	$(RUN) -m pytest --numprocesses auto --dist worksteal $(ARGS)

lint: $(VENV)/.for-development  ## check style, formatting and types, as CI does
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

clean-env:  ## remove the environment, so that the next call makes it anew
	rm -rf $(VENV)

# An install that broke off leaves no stamp and is taken up again.
$(VENV)/.for-use: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing hipreg into $(VENV) (once; some minutes)"
	@$(PIP) --editable '.[experiments]'
	@touch $@

$(VENV)/.for-development: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing hipreg and its development tools into $(VENV) (once; some minutes)"
	@$(PIP) --editable '.[experiments,dev]'
	@touch $@ $(VENV)/.for-use $(VENV)/.for-omniboard

$(VENV)/.for-omniboard: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing hipreg and a database for its records into $(VENV) (once)"
	@$(PIP) --editable '.[experiments,omniboard]'
	@touch $@ $(VENV)/.for-use

ifneq ($(PYTHON),)
$(VENV)/.for-use $(VENV)/.for-omniboard $(VENV)/.for-development: | same-python
endif

same-python: | $(VENV)/.made
	@test "$$($(PYTHON) -c '$(VERSION)')" = "$$($(RUN) -c '$(VERSION)')" || { \
		echo "$(VENV) is of $$($(RUN) --version), and $(PYTHON) is another: make clean-env first," >&2; \
		echo "or keep both: make $(MAKECMDGOALS) PYTHON=$(PYTHON) VENV=.venv-other" >&2; exit 1; }

# An environment that works is kept, wherever it came from.
$(VENV)/.made:
	@if $(RUN) -c "$(FITS)" 2>/dev/null && \
		{ $(RUN) -m pip --version || $(RUN) -m ensurepip; } >/dev/null 2>&1; then \
		touch $@; exit; fi; \
	for python in $(or $(PYTHON),python3.11 python3.12 python3.13 python3 python); do \
		if $$python -c "$(FITS)" >/dev/null 2>&1; then \
			echo "Making $(VENV) with $$($$python --version)"; \
			$$python -m venv --clear $(VENV) && touch $@; exit; \
		fi; \
		found="$$found $$python ($$($$python --version 2>/dev/null || echo missing)),"; \
	done; \
	echo "hipreg needs Python 3.11, 3.12 or 3.13 with its venv module; found:$${found%,}" >&2; \
	echo "Install one (Debian and Ubuntu: apt install python3 python3-venv) or say where it is:" >&2; \
	echo "  make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
	exit 1
