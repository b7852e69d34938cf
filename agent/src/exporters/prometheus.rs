//! Serves the newest value of every series for Prometheus to scrape.
