"""The models of a project: loaded segmenters, their records, and how they predict."""
