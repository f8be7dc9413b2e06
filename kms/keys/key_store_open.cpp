// Opening: what is looked at, what is refused, and the anchor that remembers how far the vault had
// got.
#include "keys/key_store.hpp"

namespace quietus {
namespace {

Error rolled_back(std::string_view what) {
  return Error(
      ErrorCode::kRolledBack,
      std::string(what) + "; an older copy of the vault was put back; nothing was touched");
}

}  // namespace

// Signs of a rollback that show without any key (I-14). Destroys nothing, whatever it finds (I-13).
Result<void> KeyStore::check_rollback(ControlReader& reader, const RootRow& row,
                                      const std::optional<Anchor>& anchor,
                                      const std::vector<SlotName>& slots) {
  for (const SlotName& slot : slots)
    if (slot.generation > row.generation && !row.attempts_slot(slot))
      return rolled_back("there is a root slot newer than the control store");
  if (!anchor) return {};
  if (anchor->generation > row.generation)
    return rolled_back("the anchor is of a newer root generation than the control store");
  QUIETUS_TRY_AS(const TreeHead head, quietus::log_head(reader));
  if (anchor->log_size > head.size)
    return rolled_back("the anchor knows more log entries than the control store has");
  QUIETUS_TRY_AS(const Hash root, root_at(reader, anchor->log_size));
  if (root != anchor->log_root) return rolled_back("the log is not the one that the anchor knows");
  return {};
}

Result<KeyStore::Look> KeyStore::look(bool anchor_required) {
  Look seen;
  auto anchor = parts_.anchor.read(vault_);
  if (anchor) seen.anchor = *anchor;
  auto slots = parts_.provider.list();
  if (!slots && slots.error().code() == ErrorCode::kNotFound) return slots_missing();
  QUIETUS_TRY_AS(seen.slots, std::move(slots));
  const auto context = openssl_engine().make_context();
  QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(const SealedRootRow sealed, read_root_row(reader));
    seen.row = sealed.row;
    if (seen.row.vault != vault_)
      return Error(ErrorCode::kCorrupt, "control store: of another vault");
    if (seen.row.instance != parts_.instance)
      return Error(ErrorCode::kCorrupt, "control store: of another instance of the vault");
    QUIETUS_TRY(check_rollback(reader, seen.row, seen.anchor, seen.slots));
    if (seen.row.state == VaultState::kDestroying) return destroyed_error(seen.slots);
    QUIETUS_TRY_AS(seen.keys, load_vault_keys(reader, *context));
    const RowSeal seal{seen.keys->rows, vault_, *context, seen.row.batch};
    QUIETUS_TRY_AS(seen.intents, pending_in(reader, seal, seen.row));
    return {};
  }));
  // Only now: where the slots are missing too, that is what there is to say.
  if (!seen.anchor && anchor_required) {
    if (anchor.error().code() != ErrorCode::kNotFound &&
        anchor.error().code() != ErrorCode::kCorrupt)
      return std::move(anchor).error();
    return Error(ErrorCode::kCorrupt,
                 "the anchor beside the root slots is missing or damaged, so it cannot be told "
                 "whether this is the newest copy of the vault; open read-only to read, or, if you "
                 "are sure that it is, run `quietus doctor --rewrite-anchor`");
  }
  if (seen.anchor && !AnchorFile::authentic(*seen.anchor, seen.keys->anchor)) {
    if (anchor_required) return Error(ErrorCode::kCorrupt, "the anchor does not authenticate");
    seen.anchor.reset();
  }
  return seen;
}

Error KeyStore::destroyed_error(const std::vector<SlotName>& slots) const {
  if (slots.empty()) return {ErrorCode::kErased, "the whole vault was destroyed"};
  return {ErrorCode::kErasureIncomplete,
          "the destruction of the whole vault was begun; run `quietus vault destroy` to finish it"};
}

bool KeyStore::settled(const Look& seen) {
  return seen.row.confirmed && seen.anchor && seen.anchor->generation == seen.row.generation &&
         seen.slots == seen.row.slots && seen.intents.empty();
}

Result<KeyStore::Opened> KeyStore::open(const VaultId& vault) {
  vault_ = vault;
  parts_.provider.prepare_reading();
  bool settled_now = false;
  {
    QUIETUS_TRY_AS(const auto lock, RootChangeLock::take(parts_.lock_files, LockFile::Mode::kShared,
                                                         parts_.lock_timeout));
    QUIETUS_TRY_AS(const Look seen, look(!parts_.read_only));
    settled_now = settled(seen);
  }
  if (parts_.read_only) return Opened{!settled_now, {}};
  Result<std::vector<RootChangeOutcome>> finished = std::vector<RootChangeOutcome>();
  if (!settled_now) finished = recover(kOpenPatience);
  // One of many scopes may wait until an earlier one is cleaned up.
  if (!finished && finished.error().code() == ErrorCode::kErasureIncomplete && clean_all())
    finished = recover(kOpenPatience);
  if (finished) clean_a_little();
  if (finished) return Opened{false, std::move(finished).value()};
  // What cannot be finished now (a holder that does not answer, a lock that is busy, a disk that is
  // full) stays recorded; the vault serves meanwhile. Everything else is a reason not to open.
  const ErrorCode code = finished.error().code();
  if (code == ErrorCode::kErasureIncomplete || code == ErrorCode::kBusy || code == ErrorCode::kFull)
    return Opened{true, {}};
  return std::move(finished).error();
}

Anchor KeyStore::anchor_for(const RootRow& row, const TreeHead& head) {
  Anchor anchor;
  anchor.vault = row.vault;
  anchor.generation = row.generation;
  anchor.log_size = head.size;
  anchor.log_root = head.root;
  return anchor;
}

Result<void> KeyStore::refresh_anchor() {
  auto lock = RootChangeLock::take(parts_.lock_files, LockFile::Mode::kExclusive,
                                   std::chrono::milliseconds(0));
  if (!lock) return {};
  QUIETUS_TRY_AS(const Look seen, look(true));
  QUIETUS_TRY_AS(const TreeHead head, log_head());
  if (seen.anchor->log_size == head.size && seen.anchor->generation == seen.row.generation)
    return {};
  if (!seen.row.confirmed) return {};
  return parts_.anchor.write(anchor_for(seen.row, head), seen.keys->anchor);
}

Result<void> KeyStore::rewrite_anchor(const VaultId& vault) {
  vault_ = vault;
  QUIETUS_TRY_AS(
      const auto lock,
      RootChangeLock::take(parts_.lock_files, LockFile::Mode::kExclusive, parts_.lock_timeout));
  if (const auto anchor = parts_.anchor.read(vault_)) {
    QUIETUS_TRY_AS(const Look seen, look(false));
    if (seen.anchor) return Error(ErrorCode::kRefused, "the anchor is whole; it stays as it is");
  }
  QUIETUS_TRY_AS(const Look seen, look(false));
  const auto context = openssl_engine().make_context();
  const UnixMillis now = parts_.clock.now();
  QUIETUS_TRY(
      parts_.control.update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
        const std::string entry = entry_text(new_entry(now), AnchorRewritten{seen.row.generation});
        QUIETUS_TRY(append_entry(writer, {seen.keys->rows, vault_, *context}, as_bytes(entry)));
        return {};
      }));
  QUIETUS_TRY_AS(const TreeHead head, log_head());
  return parts_.anchor.create(anchor_for(seen.row, head), seen.keys->anchor);
}

}  // namespace quietus
