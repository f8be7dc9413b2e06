# A governed vault, and a request that Ada has verified.
ssh-keygen -q -t ed25519 -N "" -C ada -f ada
ssh-keygen -q -t ed25519 -N "" -C ben -f ben
export QUIETUS_VAULT=vault QUIETUS_KEY_FILE=key QUIETUS_OPERATOR=Ada QUIETUS_IDENTITY=ada
quietus init vault --root file:$PWD/roots --admin Ada --admin-key ada.pub --role verifier
newest() { quietus --json request list | sed -n 's/.*"request": "\(.*\)".*/\1/p' | tail -1; }
quietus operator add Ben --role operator --key ben.pub
quietus request approve $(newest) --agent && quietus request execute $(newest)
quietus tenant create acme --as Ben --identity ben
quietus scope create acme/customers --as Ben --identity ben
quietus request open deletion acme/customers --reason deletion-request --as Ben --identity ben
id=$(newest)
echo scan > scan.pdf
quietus request verify $id --method identity-card --evidence scan.pdf
