"""The SDK: from a request to a data frame. Its public names are those of the package `aperiodic`."""
