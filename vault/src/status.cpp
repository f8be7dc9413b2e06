// What the vault says about its state.
#include <quietus/vault.hpp>

#include <algorithm>

#include "base/text_encoding.hpp"
#include "evidence/log_store.hpp"
#include "keys/backups.hpp"
#include "keys/drills.hpp"
#include "keys/snapshots.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

std::string step_name(IntentState state) {
  switch (state) {
    case IntentState::kBegun: return "begun";
    case IntentState::kCommitted: return "keys-unreachable";
    case IntentState::kSlotDestroyed: return "slot-destroyed";
  }
  return "unknown";
}

// One that was derived may have been erased with a source; then its own row does not say so.
Result<bool> is_alive(ControlReader& reader, ScopeTable& scopes, ScopeId tenant) {
  QUIETUS_TRY_AS(const auto row, rows::key_row(reader, scopes.seal(), tenant));
  if (!row || is_destroyed(row->state)) return false;
  if (row->sources.empty()) return true;
  const auto keys = scopes.keys(reader, tenant);
  return keys || keys.error().code() != ErrorCode::kErased;
}

}  // namespace

namespace {

Result<void> tell_copies(ControlReader& reader, const RowSeal& seal, VaultStatus& status) {
  QUIETUS_TRY_AS(const auto backups, rows::backups(reader, seal));
  for (const KeptBackup& backup : backups)
    if (backup.row.made != 0) status.backup_unix_ms = backup.row.begun;
  QUIETUS_TRY_AS(const auto snapshots, rows::snapshots(reader, seal));
  status.snapshots_clear_unix_ms = 0;
  for (const SnapshotRow& snapshot : snapshots) {
    if (snapshot.log_size != UINT64_MAX) status.snapshot_unix_ms = snapshot.begun;
    if (snapshot.destroyed == 0)
      status.snapshots_clear_unix_ms = std::max(status.snapshots_clear_unix_ms, snapshot.expires);
  }
  QUIETUS_TRY_AS(const auto drill, rows::drill(reader, seal));
  if (drill && drill->done) {
    status.drill_unix_ms = drill->time;
    status.drill_passed = drill->passed;
  }
  return {};
}

}  // namespace

Result<VaultStatus> Vault::status() {
  if (!core_) return Error(ErrorCode::kUnavailable, "the vault is closed");
  VaultStatus status;
  status.vault_id = to_hex(core_->header.vault);
  status.root_provider = core_->provider->kind();
  status.root_location = core_->provider->location();
  status.assurance = core_->provider->assurance().text;
  status.read_only = core_->options.read_only;
  status.key_memory_locked = guarded_memory_status().all_locked();
  QUIETUS_TRY_AS(status.processes, core_->holders->count());
  QUIETUS_TRY(core_->read(
      [&](ControlReader& reader, ScopeTable& scopes, const RootRow& root) -> Result<void> {
        status.format_version = kFormatVersion;
        status.root_generation = root.generation;
        status.tenants = 0;
        QUIETUS_TRY_AS(const auto tenants, rows::children(reader, scopes.seal(), kVaultScope));
        for (const ScopeId tenant : tenants) {
          QUIETUS_TRY_AS(const bool alive, is_alive(reader, scopes, tenant));
          if (alive) ++status.tenants;
        }
        QUIETUS_TRY_AS(const auto certificates, rows::certificates(reader, scopes.seal()));
        status.certificates = certificates.size();
        QUIETUS_TRY_AS(const TreeHead head, quietus::log_head(reader));
        status.log_size = head.size;
        QUIETUS_TRY(tell_copies(reader, scopes.seal(), status));
        status.pending.clear();
        QUIETUS_TRY_AS(const auto intents, KeyStore::pending_in(reader, scopes.seal(), root));
        for (const Intent& intent : intents)
          status.pending.push_back({to_hex(intent.id), step_name(intent.state), intent.begun});
        return {};
      }));
  return status;
}

}  // namespace quietus
