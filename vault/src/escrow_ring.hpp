// How the ring of a recovery site goes on, in one transaction of the site's vault: what was
// destroyed is noted, what was ended early closes, and new epochs are made. docs/escrow.md.
#pragma once

#include <vector>

#include "evidence/ring_receipt.hpp"
#include "keys/ring_rows.hpp"
#include "keys/scope_table.hpp"

namespace quietus {

inline constexpr std::string_view kEscrowTenant = "escrow";
inline constexpr std::string_view kEpochClass = "escrow-epoch";
// Epochs in one life: more would not fit into a ring file with those that are upcoming.
inline constexpr UnixMillis kMaxEpochsOfLife = 512;

struct SiteRing {
  RingRow row;
  std::vector<EpochRow> epochs;  // in the order in which they open
  std::vector<OpeningRow> openings;
};

// kNotFound when the vault has no ring.
Result<SiteRing> load_ring(ControlReader& reader, const RowSeal& seal);

// What the site publishes, as of ring.row.issued. An epoch stays in the file until its key is
// destroyed, however late, and until it would have expired by the first file that named it.
RingFile ring_file_of(const VaultId& site, const SiteRing& ring);
RingReceipt receipt_of(const VaultId& site, const SiteRing& ring);

// Whether the key of an epoch was destroyed, by whichever erasure of the site.
struct EpochBurial {
  ErasureId erasure{};
  UnixMillis erased = 0;
  bool finished = false;  // the old slot is read back as gone, and no process holds the key
};
Result<std::optional<EpochBurial>> burial_of(ControlReader& reader, const RowSeal& seal,
                                             const RootRow& root, const RingEpoch& epoch);

struct RingStep {
  std::vector<EpochRow> destroyed;  // noted in this step
  std::uint64_t unfinished = 0;     // begun to be destroyed: no receipt names them yet
  std::uint64_t made = 0;           // epochs
  bool issued = false;              // there is a new ring file, and a new receipt
};

// Makes the ring of a vault that has none, with its first epochs. kAlreadyExists; kRefused when the
// vault holds anything else.
Result<RingStep> begin_ring(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                            const RingRow& lengths, UnixMillis now);
// Nothing changes where nothing has to: then the files stay as they are. kNotFound.
Result<RingStep> settle_ring(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                             UnixMillis now);

}  // namespace quietus
