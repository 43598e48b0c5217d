"""Consumer lag, read from the bus whenever the metrics are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class LagCollector(Collector):
    """How many records wait for each group that this process is a member of, in the partitions that it has."""

    def __init__(self, lags: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        self._lags = lags

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric with a sample for each group and topic."""
        family = GaugeMetricFamily(
            "lacolle_consumer_lag", "Records that wait in this process's partitions", labels=["group", "topic"]
        )
        for (group, topic), lag in self._lags().items():
            family.add_metric([group, topic], lag)
        yield family
