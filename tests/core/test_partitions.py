"""Which partition a site lives in: what Kafka's own clients compute."""

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as theirs
from hypothesis import given
from hypothesis import strategies as st

from streams.core.partitions import murmur2, partition_of
from streams.topology import PARTITIONS


@given(data=st.binary(max_size=64))
def test_the_hash_is_the_client_librarys(data: bytes) -> None:
    assert murmur2(data) == theirs(data) & 0xFFFFFFFF


@given(site_id=st.text(min_size=1, max_size=80), partitions=st.integers(1, 64))
def test_a_site_lives_where_kafkas_default_partitioner_puts_its_key(site_id: str, partitions: int) -> None:
    everywhere = list(range(partitions))

    placed = DefaultPartitioner()(site_id.encode(), everywhere, everywhere)

    assert partition_of(site_id, partitions) == placed


def test_sites_spread_over_all_partitions() -> None:
    homes = {partition_of(f"museum-{number}", PARTITIONS) for number in range(200)}

    assert homes == set(range(PARTITIONS))
