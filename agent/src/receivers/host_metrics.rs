//! Metrics of the host: cpu, load, memory, disk, filesystem, network, paging, processes.
