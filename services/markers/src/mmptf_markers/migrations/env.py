"""What Alembic runs for every command on the migrations of this service."""

from mmptf_common.storage.migrations import run_environment

run_environment("mmptf_markers", "mmptf_markers.models:Base.metadata")
