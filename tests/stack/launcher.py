"""Starts the AWS emulator on a port of the loopback interface, with mends where it differs from AWS.

    python launcher.py PORT [REGION]

The emulator is ministack, as pinned in requirements.txt. It runs in the foreground until SIGTERM, keeps everything in memory,
and enforces IAM policies: a 12-digit access key is the root of the account with that number, and a function has the
permissions of its role. The mends and their reasons are in mends/, one file for each service.
"""

import importlib.metadata
import os
import sys

MENDED_VERSION = "1.5.33"

# The functions inherit this process's environment, so it keeps nothing of the developer's own.
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")


def main() -> None:
    port, region = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "eu-west-1"

    version = importlib.metadata.version("ministack")
    if version != MENDED_VERSION:
        sys.exit(f"ministack {version} is installed, but the mends are for {MENDED_VERSION}: check them first")

    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    os.environ.clear()
    os.environ.update(inherited)
    os.environ.update(
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=port,
        MINISTACK_REGION=region,
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",  # inherited by the functions
        AWS_SECRET_ACCESS_KEY="test",
        AUTH="true",
        IOT_MTLS_ENABLED="0",  # this and the next would listen on ports of their own
        SFTP_ENABLED="0",
    )

    # After the environment is set, because ministack reads it when it is imported.
    from ministack import app

    from mends import apigateway, cloudwatch, functions, iam, kms, rds_data, scheduler, sqs

    for service in (apigateway, cloudwatch, functions, iam, kms, rds_data, scheduler, sqs):
        service.mend()

    sys.argv = sys.argv[:1]  # because ministack reads the command line too
    app.main()


if __name__ == "__main__":
    main()
