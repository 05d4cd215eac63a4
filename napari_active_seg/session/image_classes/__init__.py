"""Classes for whole images: questions, answers, the second head."""
