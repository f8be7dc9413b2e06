// Data on its way in and out in open formats: a folder tree, where a record's name is its path
// inside the folder, and .ndjson, one JSON object a line, at most 64 MiB long:
//
//   {"name": text, "value": base64, "content_type"?: text, "tags"?: {}}
//
// A scope's own records are moved, not those of the scopes below it. What leaves the vault is plain
// data that no erasure reaches, so every export is recorded in the evidence log.
#pragma once

#include <quietus/vault.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quietus {

// Left out on purpose: a symbolic link, a device, a socket.
struct TransferSkip {
  std::string name;
  std::string reason;
};

// Could not be moved; the rest was.
struct TransferFailure {
  std::string name;
  Error error;
};

// What an import or export moved, and what it did not.
struct TransferReport {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // of content
  std::vector<TransferSkip> skipped;
  std::vector<TransferFailure> failed;
  // Why the transfer ended before its end. What is counted above was moved and stays moved.
  std::optional<Error> stopped;
  bool recorded = false;  // exports: in the evidence log

  bool complete() const noexcept { return failed.empty() && !stopped; }  // all was moved
};

// Importing replaces records of the same name. Small records are written in batches, each whole and
// durable; a large one appears whole or not at all. `progress` is told the number of records done.

// Every regular file below `folder`, hidden ones included. A file that changes while it is read,
// that cannot be read, or whose path is no record name is a failure of that file alone. Links below
// the folder are never followed. kNotFound; kIo when the folder itself cannot be read.
QUIETUS_EXPORT Result<TransferReport> import_folder(Scope& scope,
                                                    const std::filesystem::path& folder,
                                                    const Progress& progress = {});

// Lines of .ndjson. Strict: the first line that is not what is stated above stops the import
// (`stopped`: kInvalidArgument, with the number of the line), and so does an error of `source`.
QUIETUS_EXPORT TransferReport import_ndjson(Scope& scope, const ByteSource& source,
                                            const Progress& progress = {});

// Exporting takes the records that are there when it begins, in the order of their names; one that
// is removed meanwhile is left out. An export that cannot be recorded is `stopped`, except in a
// vault that was opened read-only, where nothing can be recorded. Errors of Vault::scope().

// What is exported: a scope, and if it is restricted, for which lawful use.
struct ExportSource {
  std::string_view scope_path;
  std::optional<RestrictedUse> use{};
  // A path converts.
  ExportSource(std::string_view path, std::optional<RestrictedUse> lawful = {})  // NOLINT: implicit
      : scope_path(path), use(lawful) {}
  ExportSource(const char* path) : scope_path(path) {}         // NOLINT: implicit
  ExportSource(const std::string& path) : scope_path(path) {}  // NOLINT: implicit
};

// Makes `folder`, and those above it, where they are missing, and one file per record, mode 0600.
// Nothing that is there already is replaced or followed: such a record fails with kAlreadyExists.
// Content types are not kept. kIo when the folder cannot be made.
QUIETUS_EXPORT Result<TransferReport> export_folder(Vault& vault, const ExportSource& source,
                                                    const std::filesystem::path& folder,
                                                    const Progress& progress = {});

// Lines of .ndjson, handed to `sink` a record at a time. It was recorded when this returns, so a
// caller that gives a file its final name afterwards never has an unrecorded one. A record too
// large for a line fails with kInvalidArgument. What the sink got of a `stopped` export is not all.
QUIETUS_EXPORT Result<TransferReport> export_ndjson(Vault& vault, const ExportSource& source,
                                                    const ByteSink& sink,
                                                    const Progress& progress = {});

}  // namespace quietus
