// What every export does, whatever the form: list the records, hand them out in order, keep
// account, and record the export.
#pragma once

#include <quietus/portability.hpp>

#include <functional>

namespace quietus {

// Hands out one record: its size in bytes, or none when there is no such record any more. kCorrupt,
// kChanged, kAlreadyExists and kInvalidArgument are failures of that record; any other error stops.
using DeliverRecord =
    std::function<Result<std::optional<std::uint64_t>>(const Scope&, const RecordInfo&)>;

Result<TransferReport> export_records(Vault& vault, const ExportSource& source,
                                      const Progress& progress, const DeliverRecord& deliver);

}  // namespace quietus
