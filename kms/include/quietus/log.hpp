// The evidence log as a stranger sees it: a folder that was exported, and the work of a witness.
// Neither needs a vault or a network.
#pragma once

#include <quietus/export.h>
#include <quietus/result.hpp>
#include <quietus/trust.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quietus {

// What the reader knows from elsewhere.
struct LogExpectations {
  // Without it nobody checks who signed the checkpoint, and the report says so.
  std::optional<Trust> trust;
  // A checkpoint (signed note) of the same log that the reader got earlier.
  std::optional<std::string> older_checkpoint;
};

struct VerifiedLog {
  CheckedCheckpoint head;
  std::optional<CheckedCheckpoint> older;
  // One line of plain English each.
  std::vector<std::string> checked;
  std::vector<std::string> not_checked;
};

// Verifies a folder in the form of C2SP tlog-tiles v0.1.0: every entry hashes to its place in the
// tiles, the tiles to each other and to the root in `checkpoint`; that note and the older one are
// what the expectations ask for, and the log goes on from the older one. Reads one tile at a time.
//   kNotFound    there is no checkpoint: not an exported log, or an export that was not finished
//   kRolledBack  the folder holds fewer entries than the older checkpoint
//   kUnverified  everything else; the text begins with what it is where that can be told: "gap",
//                "rewritten", "fork"
QUIETUS_EXPORT Result<VerifiedLog> verify_log_folder(const std::filesystem::path& folder,
                                                     const LogExpectations& expectations);

// Makes a witness: its key in the file `key` (mode 0600), what it has seen in `<key>.state`.
// Returns the vkey (C2SP tlog-cosignature, type 04). An empty name gets a random one. Durable on
// return. kAlreadyExists; kInvalidArgument for a name that no key of a note can have.
QUIETUS_EXPORT Result<std::string> create_witness(const std::filesystem::path& key,
                                                  std::string_view name);

// The checkpoint in `request` with the witness's cosignature below it. `request` is the body of a
// C2SP tlog-witness add-checkpoint request, or a checkpoint alone, which is enough the first time
// and for one that was cosigned before. `logs` says whose checkpoints are accepted. That this was
// the newest checkpoint of the log is on the disk when it returns, and one process does this at a
// time.
//   kNotFound    no such key, or its state is gone
//   kRefused     the log has moved on and the request proves nothing, or the proof starts elsewhere
//                than at the last checkpoint that was cosigned; the text names its size
//   kRolledBack  the log is shorter than the witness saw it
//   kUnverified  not signed by one of the logs; "fork": it does not go on from what the witness saw
//   kCorrupt     key or state are damaged      kBusy
QUIETUS_EXPORT Result<std::string> cosign(const std::filesystem::path& key,
                                          std::string_view request, const Trust& logs);

}  // namespace quietus
