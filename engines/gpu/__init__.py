"""The graphics card: what is on it (`cards`, by NVML), and what may be put on it (`budget`)."""
