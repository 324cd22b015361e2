"""What Alembic runs for every command on the migrations of this service."""

from mmptf_common.storage.migrations import run_environment

run_environment("mmptf_funding", "mmptf_funding.models:Base.metadata")
