// What an open tells the caller's log (OpenOptions::notice).
#include "base/text_encoding.hpp"
#include "vault_core.hpp"

namespace quietus {

void VaultCore::note(std::string_view line) const {
  if (options.notice) options.notice(line);
}

void VaultCore::note_opened(const KeyStore::Opened& opened) const {
  for (const RootChangeOutcome& one : opened.finished)
    note("a change of the root that was interrupted is finished: " + to_hex(one.intent.id));
  if (opened.recovery_pending)
    note("a change of the root was interrupted, and is left to who may write");
  if (!guarded_memory_status().all_locked())
    note("key memory is not locked against swapping; raise RLIMIT_MEMLOCK");
  if (record_store == nullptr) return;
  const auto readers = record_store->readers();
  if (readers && readers->cleared > 0)
    note("places of processes that ended without closing were cleared: " +
         std::to_string(readers->cleared));
}

}  // namespace quietus
