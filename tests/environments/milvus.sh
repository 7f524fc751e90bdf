#!/bin/sh
# Runs a command against a real Milvus server: milvus.sh FOLDER COMMAND...
# FOLDER keeps the server's own environment (PyPI's `milvus` 2.3 needs an old pymilvus and numpy) and, while it runs, its data.
# The command finds the server in MILVUS_URI. Nothing is left running.
set -eu
folder=$1
shift
: "${PYTHON:=python3}"
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
if [ ! -f "$folder/env/.installed" ]; then
    "$PYTHON" -m venv "$folder/env"
    "$folder/env/bin/python" -m pip install --quiet 'milvus==2.3.5' 'pymilvus==2.3.7' 'numpy<2' 'setuptools<80'
    touch "$folder/env/.installed"
fi
exec "$folder/env/bin/python" "$here/milvus_server.py" "$folder" "$@"
