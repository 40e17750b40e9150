#!/bin/sh
# install REQUIREMENTS [PACKAGE]: hashed requirements, then a package's folder without its dependencies, into
# /opt/deftunes. Part of the target uv, so that every image installs in the same way and none keeps the package manager.
set -eu
if [ -s /run/ca.crt ]; then export SSL_CERT_FILE=/run/ca.crt; fi
export UV_CACHE_DIR=/root/.cache/uv UV_LINK_MODE=copy UV_COMPILE_BYTECODE="${UV_COMPILE_BYTECODE:-1}" VIRTUAL_ENV=/opt/deftunes
/uv/bin/uv pip install --quiet --require-hashes -r "$1"
if [ $# -gt 1 ]; then
    # a copy, because a build writes beside its sources
    cp -r "$2" /tmp/source
    # built by the backend of tools.lock, and by no other that an index may offer that day
    UV_BUILD_CONSTRAINT=/uv/tools.lock /uv/bin/uv pip install --quiet --no-deps --require-build-hashes /tmp/source
    rm -rf /tmp/source
fi
