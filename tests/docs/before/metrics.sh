# A vault, and the folder of the collector.
export QUIETUS_VAULT=vault QUIETUS_KEY_FILE=key
quietus init vault --root file:$PWD/roots
mkdir -p /var/lib/prometheus/node-exporter
