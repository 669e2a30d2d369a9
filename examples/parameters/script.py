"""A script has arguments, not widgets: it gets what the job writes there."""
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--region", required=True)
parser.add_argument("--job", required=True)
given = parser.parse_args()

print("script: region %s of %s" % (given.region, given.job))
