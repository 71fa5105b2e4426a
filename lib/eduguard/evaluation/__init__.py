"""Measure how well faces are told apart: false accepts and rejects by threshold, and a suggestion. Read-only."""

from eduguard.evaluation.class_photos import ClassScores, read_labels, score_sightings
from eduguard.evaluation.intervals import Share
from eduguard.evaluation.outcome import Evaluation, Plan
from eduguard.evaluation.rates import Rates, Suggestion, choose_thresholds, rate, suggest_threshold
from eduguard.evaluation.scores import Inseparable, Scores, Tally, score
from eduguard.evaluation.searches import Found, Pair, Photo, name_photos, search_each

__all__ = [
    "ClassScores",
    "Evaluation",
    "Found",
    "Inseparable",
    "Pair",
    "Photo",
    "Plan",
    "Rates",
    "Scores",
    "Share",
    "Suggestion",
    "Tally",
    "choose_thresholds",
    "name_photos",
    "rate",
    "read_labels",
    "score",
    "score_sightings",
    "search_each",
    "suggest_threshold",
]
