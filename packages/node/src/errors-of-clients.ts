/**
 * The second part of the catalogue: errors that no node answers over HTTP. They come from the commands, from key files, from
 * the SDK and the gateway on their own, from checking receipts, and from bytes that are not what they should be. Each code
 * has what it means, and what to do about it.
 */

type Words = readonly [title: string, whatToDo: string];

const askAnotherNode = 'Ask another node. If that one gives the same, look at how receipt and transaction were saved.';
const askForProofs = 'Ask another node for the proofs: GET /v1/epochs, or `cairn show <id> --save <file>` with --node.';
const fromPeer =
  'Nothing, if it passes: the bytes are dropped, and a peer that goes on is kept out. If it is always the same peer, tell its operator.';
const repairFirst = 'Keep the folder, check disk and memory; docs/operations.md, "Audit", says what to do by class.';
const correctBytes = 'Encode it as docs/wire-format.md, section 1, says; the message names the place.';

export const clientErrors = {
  'tx.rejected': [
    'The ledger rejected the transaction, and the node named no code',
    'Ask for it by its id with `cairn show`, also at another node.',
  ],

  'key.malformed': [
    'The bytes are not a public key of that algorithm',
    'Check how the key was copied: 32 bytes for Ed25519, 65 for P-256.',
  ],
  'key.weak': [
    'The public key has a component of small order',
    'Make a new key; no honest generator makes such a one.',
  ],

  'keyfile.missing': ['There is no key file', 'Check the path, or make a key with `cairn key new`.'],
  'keyfile.exists': ['A file of that name exists and is left as it is', 'Choose another name for the key.'],
  'keyfile.unreadable': ['The key file cannot be read', 'Let the user that runs the command read it, and nobody else.'],
  'keyfile.unwritable': ['The key file cannot be written', 'Check folder, permissions and free space.'],
  'keyfile.too-open': [
    'Others may read the key file',
    'If nobody has copied it, run `chmod 600` on it; otherwise revoke the key and make a new one.',
  ],
  'keyfile.malformed': [
    'The file or text is not a Cairn key',
    'Take it from the backup, or make one with `cairn key new`.',
  ],
  'keyfile.mismatch': [
    'The public part of the key does not belong to its secret part',
    'Take the file from the backup: it was changed.',
  ],
  'keyfile.wrong-algorithm': [
    'The keys of a node are Ed25519',
    'Make them with `cairn key new <folder> --node`, or put back the right file.',
  ],

  'counter.locked': [
    'Another process is taking counters of this key',
    'Wait for it. If none runs any more, delete the lock file that the message names.',
  ],
  'counter.malformed': [
    'The counter file does not hold one number',
    'Write a number into it that is above every counter the key has used.',
  ],
  'counter.unwritable': ['The counter file cannot be written', 'Check folder, permissions and free space.'],

  'usage.bad-address': ['The address is not written as expected', 'Write it as host:port, or [IPv6]:port.'],
  'usage.bad-invitation': [
    'The id is not that of an invitation',
    'Take one of those that `cairn invite --list` shows.',
  ],
  'usage.bad-parameter': ['The parameter is not one', 'Write name=value, with a name that the message lists.'],
  'usage.bad-proposal': [
    'The proposal is not named as expected',
    'Take the id, or its beginning, from `cairn members`.',
  ],
  'usage.bad-url': ['The URL is not the bare address of a node', 'Write it like https://alder.example:7701.'],
  'usage.bad-validator': [
    'The validator is not named as expected',
    'Write <member>/<validator>, each of 1 to 32 of a-z, 0-9 and -.',
  ],
  'usage.no-person-keys': [
    'There are no person keys of all members',
    'Vote with --key for one member at a time; --all-members is for development networks.',
  ],
  'usage.no-reason': ['A reason is needed', 'Say why, with --reason "...".'],
  'usage.no-request': ['Nothing was handed in with this invitation', 'Wait for the other side to run `cairn join`.'],
  'usage.no-vote': ['It is not said how to vote', 'Add --yes or --no.'],
  'usage.not-removed': ['The validator was not removed', 'Propose new keys for it with `cairn propose replace-keys`.'],
  'usage.nothing-to-propose': [
    'Nothing to propose is named',
    'Name a kind of proposal; `cairn propose --help` lists them.',
  ],
  'usage.no-fingerprint': [
    'Nobody has compared the fingerprint of the invitation',
    'Ask the inviter for it by another way, and give it as --fingerprint.',
  ],
  'usage.no-round': [
    'Height and round belong together',
    'Give --above and --round, or neither to see how the node stands.',
  ],
  'usage.unwritable': ['A file cannot be written', 'Choose another name: nothing is written over.'],
  'usage.bad-amount': [
    'The amount is not one',
    'Write it like 2.50, above zero, with no more decimals than the asset has.',
  ],
  'usage.bad-device': ['The name is not that of a device', 'Write member/device, each of 1 to 32 of a-z, 0-9 and -.'],
  'usage.bad-id': ['The id is not that of a transaction', 'Give the 64 hexadecimal digits that `cairn send` printed.'],
  'usage.bad-member': [
    'The member is not written as expected',
    'Write --member id=host:port, like alder=10.0.0.1:7700.',
  ],
  'usage.bad-payment': [
    'The payment is not written as expected',
    'Write --pay account=amount:asset, like birch=2.50:eur.',
  ],
  'usage.bad-reading': [
    'The reading is not written as expected',
    'Write name=value or name=value:unit, like temperature=21.5:Cel.',
  ],
  'usage.file-and-readings': [
    'Readings cannot be added to what was signed before',
    'Leave readings and payments out, or leave --file out.',
  ],
  'usage.unknown-rules': [
    'This release does not know these rules',
    'Upgrade first: a node whose release does not know the rules ends when they begin.',
  ],
  'usage.nothing-to-audit': ['It is not said what to audit', 'Give the folder of a stopped node, or --node.'],
  'usage.nothing-to-send': ['There is nothing to send', 'Give readings, payments with --pay, or --file.'],
  'usage.no-broker': ['No MQTT broker is named', 'Add --broker mqtt://host:1883.'],
  'usage.no-genesis': ['The command needs the genesis of the network', 'Add --genesis <file>, or --network <file>.'],
  'usage.no-key': ['No key to sign with is named', 'Add --key <file>; `cairn key new <file>` makes one.'],
  'usage.no-members': ['No members are named', 'Add --member id=host:port for each, or --from <file>.'],
  'usage.no-network': [
    'No network is named',
    'Start one with `cairn dev`, or name yours with --network <file> or --node <url>.',
  ],
  'usage.no-public-key': ['The public key of the device is needed', 'Add --public <key> or --public-from <key file>.'],
  'usage.other-member': [
    'The signing key is not a person key of that member',
    'Name a person key of the member of the device with --key.',
  ],
  'usage.unknown-asset': ['The network has no such asset', 'Take one of the assets that the message lists.'],
  'usage.unknown-node': ['The network has no such node', 'Give its URL, or one of the names that the message lists.'],
  'usage.unreadable': ['A file that the command needs cannot be read', 'Check its path and permissions.'],
  'usage.unregistered-gateway': [
    'The key of the gateway is not registered',
    'Let a person of the member register it with `cairn device add ... --role gateway`, as the message shows.',
  ],

  'invitation.malformed': [
    'The text is not a whole invitation',
    'Copy all that `cairn invite` printed, or take the file that it wrote.',
  ],

  'join.not-confirmed': [
    'The fingerprint was not confirmed, and nothing was done',
    'Ask whoever invited you for it, and begin again.',
  ],
  'join.other-fingerprint': [
    'The invitation has another fingerprint than the one you were told',
    'Do not use it: it may have been changed on its way. Ask for a new one, by another way.',
  ],
  'join.other-proposal': [
    'What a new member signed is not the proposal of its own request',
    'Cancel the invitation and give a new one; ask the joiner, since somebody may have changed the request.',
  ],
  'join.other-ledger': [
    'The inviting node gave another genesis than the invitation names',
    'Do not go on: somebody in between pretends to be the inviter, or the inviter gave you the wrong invitation.',
  ],
  'join.not-empty': ['The folder is that of a node already', 'Choose another folder with --dir.'],
  'join.unwritable': [
    'The folder of the node cannot be written',
    'Look at permissions and free space, and run it again: the keys that were made are used.',
  ],

  'client.aborted': ['The request was called off', 'Nothing. Sending the same transaction again is safe.'],
  'client.bad-answer': [
    'The answer is not one that a Cairn node gives',
    'Check that the address leads to a node, not to a proxy or another service.',
  ],
  'client.no-anchor': ['A receipt cannot be checked without the genesis', 'Give the genesis of the network as anchor.'],
  'client.no-nodes': ['The client knows no node', 'Give the base URL of at least one node.'],
  'client.timeout': [
    'The network has not certified the transaction in time',
    'Send the same bytes again, or ask for it later by its id; `cairn status` shows what the network does.',
  ],
  'client.unreachable': [
    'No node can be reached',
    'Check that the network runs, and the address; `cairn status` asks all nodes.',
  ],

  'feed.bad-name': [
    'A column or field cannot be the name of a reading',
    'Give --name; choose the column with --value.',
  ],
  'feed.bad-time': [
    'A time is not understood',
    'Write 2013-07-04 00:00:00 (UTC), ISO 8601, or seconds since 1970; milliseconds with --time-unit ms.',
  ],
  'feed.bad-value': [
    'A value is not a number',
    'Leave such values out with --on-bad skip, or send them with --on-bad text.',
  ],
  'feed.damaged-progress': [
    'The progress file of the feed is damaged',
    'Restore it. With --restart the whole input is sent again, as new transactions.',
  ],
  'feed.input-changed': [
    'The input differs from what was sent before',
    'Give the same file (it may have grown at its end), or begin anew with --restart.',
  ],
  'feed.no-columns': ['The file has no column but the time', 'Choose the columns with --time and --value.'],
  'feed.not-json': ['A line of the input is not a JSON object', 'Correct the line that the message names.'],
  'feed.other-feed': [
    'The progress file belongs to another feed',
    'Use the file, key and device of that feed, or begin anew with --restart.',
  ],
  'feed.unknown-column': ['The input has no such column', 'Take one of those that the message lists.'],
  'feed.unknown-format': ['The format of the input cannot be told', 'Name it with --format.'],
  'feed.unreadable': ['The input cannot be read', 'Check its path and permissions.'],
  'feed.unwritable-progress': ['The progress file cannot be written', 'Check folder, permissions and free space.'],

  'init.contradiction': [
    'The plan of the network contradicts itself',
    'Correct it as the message says, and begin again in an empty folder.',
  ],
  'init.not-empty': ['The folder is not empty', 'Found the network in a folder of its own.'],

  'dev.node-failed': [
    'A node of the development network did not start',
    'Read the end of its log, which the message holds.',
  ],
  'dev.not-ready': ['The development network did not get in sync in time', 'Read the logs that the message names.'],
  'dev.other-size': [
    'The folder holds a network of another size',
    'Leave --nodes out, choose another --dir, or delete the folder.',
  ],
  'dev.port-taken': ['A port of the development network is taken', 'Stop what uses it, or choose another --port.'],
  'dev.running': [
    'A development network runs in that folder already',
    'Stop it there with Ctrl-C, or choose another --dir.',
  ],

  'audit.damaged': ['Something stored differs from what it must be', repairFirst],
  'audit.not-a-node': ['The folder is not that of a node', 'Give the folder that holds node.json, keys/ and data/.'],
  'audit.no-temporary-room': [
    'The databases cannot be made anew to compare with them',
    'Make room for temporary files, or set TMPDIR.',
  ],
  'audit.running': ['A node runs on the folder', 'Stop it, or audit a copy that was made while it was stopped.'],
  'audit.unreadable': ['Something stored cannot be read', repairFirst],
  'audit.malformed': ['Stored bytes do not decode', repairFirst],
  'audit.missing': ['Something that must be stored is missing', repairFirst],
  'audit.surplus': ['Something is stored that does not belong there', repairFirst],
  'audit.differs': ['Something stored differs from what the chain says', repairFirst],
  'audit.unlinked': ['Something stored does not follow what is before it', repairFirst],
  'audit.bad-digest': ['Stored bytes do not have their digest', repairFirst],
  'audit.bad-signature': ['A stored signature does not hold, or there are too few', repairFirst],
  'audit.root-differs': ['What is stored gives another root than the certified one', repairFirst],
  'audit.contradiction': [
    'The node has signed two things that contradict each other, or lost what it signed',
    'Do not start this validator again: it could be proven faulty. Keep its folder.',
  ],
  'audit.behind': [
    'Less is stored than the node has signed',
    'Put the newest data folder back; a view that is behind is brought up at the next start.',
  ],
  'audit.foreign': ['Something stored is of another ledger or format', 'Compare the genesis with that of other nodes.'],
  'audit.log-damaged': ['The log of a database is damaged, so commits may be lost', repairFirst],
  'audit.pages-damaged': ['SQLite finds the pages of a database damaged', repairFirst],
  'audit.unfinished': [
    'The end of a file was never finished, as after a crash',
    'Nothing after a crash: it was never acknowledged. If the node was stopped in order, the file was cut off.',
  ],
  'audit.unproven': [
    'Nothing that is there proves this',
    'Nothing: run it with --replay, or again once the node was in sync.',
  ],

  'doctor.unfit': ['At least one check failed', 'Do what each failed check says, then run `cairn doctor` again.'],

  'outbox.closed': ['The gateway is stopping', 'Send the message again later; with QoS 1 the MQTT client does.'],
  'outbox.damaged': [
    'The outbox cannot be opened',
    'Move its folder away, start with an empty one, and let devices send again what got no verdict.',
  ],
  'outbox.failed': [
    'The outbox could not be written; the gateway acknowledges nothing more',
    'Make room or replace the disk, then restart the gateway.',
  ],
  'outbox.in-use': ['Another process uses the outbox', 'Stop it, or give this gateway a key and a folder of its own.'],
  'outbox.wrong-ledger': ['The outbox belongs to another ledger', 'Give this gateway a folder of its own.'],
  'outbox.wrong-version': [
    'The outbox has a format that this release does not know',
    'Empty it with the release that wrote it.',
  ],

  'anchor.malformed': [
    'The bytes are not an epoch proof or a trust anchor of Cairn',
    'Check how the file was saved, or ask another node for the proofs.',
  ],
  'anchor.bad-signature': ['A signature on the epoch proof is false', askForProofs],
  'anchor.duplicate-signer': ['The epoch proof counts a validator twice', askForProofs],
  'anchor.mixed-checkpoints': ['The signatures on the epoch proof are of different checkpoints', askForProofs],
  'anchor.too-few-signatures': ['Fewer validators than a quorum of the old epoch signed the proof', askForProofs],
  'anchor.too-old': [
    'The trust anchor is older than the trust period, and too few nodes confirm what came after it',
    'Name f + 1 nodes that do not belong together, or take a newer anchor from a source you trust; `--trust-period` says how old one may be.',
  ],
  'anchor.two-futures': [
    'An alarm: validators of one epoch have signed two different ends of it',
    'Trust no node of the network until its members have said which future is theirs, and keep both proofs: they name who signed both.',
  ],
  'anchor.unknown-signer': ['A signer of the epoch proof is not a validator of the old epoch', askForProofs],
  'anchor.wrong-epoch': [
    'The epoch proof is of another epoch than the next one',
    'Give all proofs in the order of their epochs, from that of the trust anchor on.',
  ],
  'anchor.wrong-ledger': [
    'The epoch proof or the trust anchor is of another ledger',
    'Take genesis, anchor and proofs of one network.',
  ],
  'anchor.wrong-set': ['The validators that the epoch proof lists are not those that were signed', askForProofs],

  'receipt.malformed': ['The bytes are not a receipt of Cairn', 'Check how it was saved, or ask a node for it again.'],
  'receipt.bad-signature': ['A signature on the receipt is false', askAnotherNode],
  'receipt.duplicate-signer': ['The receipt counts a validator twice', askAnotherNode],
  'receipt.mixed-checkpoints': ['The signatures are of different checkpoints', askAnotherNode],
  'receipt.no-signature-fits': ['No signature on the receipt fits its history root', askAnotherNode],
  'receipt.not-included': [
    'The receipt is not of this transaction',
    'Take the transaction bytes from a node, exactly as ordered, and the receipt with them.',
  ],
  'receipt.other-transaction': ['The node gave the receipt of another transaction', askAnotherNode],
  'receipt.too-few-signatures': ['Fewer validators than a quorum signed it', 'Ask a node again later, or another one.'],
  'receipt.unknown-epoch': [
    'The receipt is of an epoch that the trust anchor does not know',
    'Save the receipt again with `cairn show <id> --save <file>`, which writes the proofs of the epochs beside it; for one from before the anchor, verify from the genesis.',
  ],
  'receipt.unknown-signer': ['A signer of the receipt is not a validator of its epoch', askAnotherNode],
  'receipt.wrong-ledger': ['The receipt is of another ledger', 'Check it with the genesis of its own network.'],
  'receipt.wrong-size': ['The path of the receipt is for a tree of another size than the signed one', askAnotherNode],
  'proof.invalid': ['The proof of a part of the state does not hold', 'Ask another node for it.'],
  'merkle.bad-proof': ['A path in a Merkle tree does not lead to its root', askAnotherNode],

  'senml.malformed': ['The readings are not SenML that the ledger takes', 'Correct what the message names (RFC 8428).'],
  'senml.invalid': [
    'The SenML of a transaction breaks a rule of RFC 8428 or of the ledger',
    'Correct what the message names.',
  ],

  'restart.malformed': [
    'The file is not a restart document',
    'Take it again from whoever drafted it; `cairn restart show <file>` prints one that can be read.',
  ],
  'restart.unreadable': [
    'A restart document cannot be read',
    'Check path and permissions; the message has the reason.',
  ],
  'restart.unwritable': ['A restart document cannot be written', 'Check folder, permissions and free space.'],
  'restart.wrong-ledger': ['The restart document is of another ledger', 'Take the one of this network.'],
  'restart.bad-preparation': [
    'A file is not what `cairn restart prepare` writes',
    'Run that command at the node again, with --out.',
  ],
  'restart.no-chain': [
    'The node has no chain, so there is nothing to restart from',
    'Start it: it gets the chain from its peers, or, where nobody has one any more, begins at the genesis. Stop it, and prepare again.',
  ],
  'restart.nothing': [
    'A restart document needs a node that said how it stands, and a validator to go on',
    'Run `cairn restart prepare` at the nodes, and draft from all of them.',
  ],
  'restart.contradiction': [
    'Two nodes say what cannot both be true',
    'Audit both with `cairn audit`, and leave out the one that is damaged; two different blocks of one height mean a fork: docs/threat-model.md.',
  ],
  'restart.more-known': [
    'A node has signed, or knows to be final, more than any of these has executed',
    'Bring the node that has it. With --lose the network goes on without what lies above, and whoever relied on that must be told.',
  ],
  'restart.later-epoch': [
    'A node has signed in a later epoch than any of these has come to',
    'Bring a node that has that chain. Without one this ledger cannot go on, since old signatures would contradict new ones: found a new network.',
  ],
  'restart.foreign-validator': [
    'A restart goes on with validators that the ledger wants, and no others',
    'Draft it anew from what the nodes say; new validators join by vote afterwards.',
  ],
  'restart.too-few-validators': [
    'A restart would leave fewer than four of the validators',
    'Let more of them go on; those that cannot come back are voted out afterwards.',
  ],
  'restart.unknown-key': [
    'A signature on the restart document is by no key of a person of a member',
    'Sign it with a person key that is in force on the ledger at that height.',
  ],
  'restart.bad-signature': [
    'A signature on the restart document does not hold',
    'The document was changed after it was signed: compare its digest, and sign it again.',
  ],
  'restart.too-few-members': [
    'Too few members have signed the restart document',
    'Let more members sign it: as many as a vote on a change of members takes.',
  ],
  'restart.other-document': [
    'The node was given another restart document for the same epoch',
    'Find out which one is the decision of the members before anything else. One epoch ends once.',
  ],
  'restart.finalized-above': [
    'The node holds a finalized block above the one that the restart document ends the epoch with',
    'Do not restart below it: prepare at this node, and draft the document anew. Nothing final may be taken back.',
  ],
  'restart.voted-above': [
    'The node has voted to finalize a block above the one that the restart document ends the epoch with',
    'That block may be final where nobody looks. Find a node that has it; with --lose this one gives it up, as the members must have decided.',
  ],
  'restart.other-block': [
    'The node has another block at the height that the restart document names',
    'That is a fork: docs/threat-model.md. Compare the blocks of all nodes before anything else.',
  ],
  'restart.other-result': [
    'The node has another result of the last block than the restart document',
    'Audit it with `cairn audit --replay`; repair it from the others, or leave it out when the document is drafted.',
  ],
  'restart.other-epoch': [
    'The rules or the time of the restart document do not follow on the last block',
    'Draft the document anew with `cairn restart draft`.',
  ],
  'restart.due': [
    'The members have ended the epoch at this height',
    'Nothing: the node goes on in the next epoch at once.',
  ],

  'recertify.no-chain': [
    'The node has no chain, so there is nothing to execute again',
    'Start it: it gets one from its peers.',
  ],
  'recertify.diverged': [
    'The node has another result than a quorum has signed',
    'Start it: it mends itself from its peers. Then look again.',
  ],
  'recertify.certified': [
    'The result of a height to be executed again is certified here',
    'It stands. Name the highest certified height; if other nodes have recorded a lower one, docs/operations.md, "Certifying results anew".',
  ],
  'recertify.behind': [
    'The height is not certified here',
    'Start the node until it has heard of what the others have certified, or name a lower height at all nodes.',
  ],
  'recertify.round-used': [
    'The round was recorded, or signed in, at this node before',
    'Choose one that no node has recorded, and give it at all nodes. What was recorded once is never taken back.',
  ],
  'recertify.no-beginning': [
    'The chain was founded from a snapshot and cannot be executed again from its beginning',
    'Leave it: it follows once a quorum of the others has certified. Or put in the chain.db of a node that has everything, not executed again yet.',
  ],
  'recertify.other-software': [
    'The present software gives another result of a height that a quorum has signed',
    'Install the release that gives the certified results, and mends only what could not be certified.',
  ],
  'recertify.unreadable': ['The record of rounds beside the keys cannot be read', 'Check folder and permissions.'],
  'recertify.malformed': [
    'The record of rounds beside the keys is damaged',
    'Put back the one that was there. Do not delete it: the node might sign a second result in a round that is over.',
  ],
  'recertify.unwritable': ['The record of rounds cannot be written', 'Check folder, permissions and free space.'],

  'cbor.depth': ['The CBOR is nested too deeply', correctBytes],
  'cbor.duplicate-key': ['A map has one key twice', correctBytes],
  'cbor.float': ['A float stands where none may', correctBytes],
  'cbor.indefinite': ['A length is left open', correctBytes],
  'cbor.items': ['The CBOR has more items than a value may have', correctBytes],
  'cbor.key-order': ['The keys of a map are not in order', correctBytes],
  'cbor.key-type': ['A key of a map is neither an integer nor a text', correctBytes],
  'cbor.not-shortest': ['An integer or length is written longer than needed', correctBytes],
  'cbor.number': ['A number cannot be kept exactly', correctBytes],
  'cbor.range': ['A number is outside of what is allowed', correctBytes],
  'cbor.reserved': ['A reserved form of CBOR is used', correctBytes],
  'cbor.simple': ['A simple value stands where none may', correctBytes],
  'cbor.tag': ['A tag stands where none may', correctBytes],
  'cbor.trailing': ['Something follows after the value', correctBytes],
  'cbor.truncated': ['The bytes end in the middle of a value', correctBytes],
  'cbor.type': ['A value has another type than it must have', correctBytes],
  'cbor.utf8': ['A text is not UTF-8', correctBytes],

  'message.malformed': ['The bytes are not a message between nodes', fromPeer],
  'message.bad-signature': ['A message carries a signature that does not hold', fromPeer],
  'message.unknown-signer': ['A message is signed by no validator of the epoch', fromPeer],
  'message.wrong-link': ["A vote came over a link that is not its signer's", fromPeer],
  'message.too-few-signers': ['A certificate has fewer signers than a quorum', fromPeer],
  'batch.malformed': ['The bytes are not a batch', fromPeer],
  'block.malformed': ['The bytes are not a block', fromPeer],
  'vote.malformed': ['The bytes are not a vote', fromPeer],
  'certificate.malformed': ['The bytes are not a certificate', fromPeer],
  'checkpoint.malformed': ['The bytes are not a checkpoint statement', fromPeer],
} as const satisfies Record<string, Words>;
