//! Dead letters come, go and are read.
