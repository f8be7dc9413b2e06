#include "check.hpp"

#include <algorithm>

#include "base/text_encoding.hpp"
#include "evidence/log_store.hpp"
#include "keys/batch_rows.hpp"
#include "keys/rights.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

std::string scope_name(ScopeId id) {
  return "scope " + hex_id(id);
}

void check_log(ControlReader& reader, const RowSeal& seal, CheckReport& report) {
  const auto head = verify_log(reader, {seal.key, seal.vault, seal.context});
  if (head)
    report.log_entries = head->size;
  else
    report.damages.push_back({"evidence log", head.error().context()});
}

Result<void> check_scopes(ControlReader& reader, ScopeTable& scopes, CheckReport& report) {
  return rows::all_key_rows(
      reader, scopes.seal(),
      [&](const KeyRow& row) -> Result<void> {
        ++report.scopes;
        const auto keys = scopes.keys(reader, row.id);
        if (!keys && keys.error().code() == ErrorCode::kErased) return {};
        Result<void> whole = scopes.check_keys(reader, row);
        if (whole)
          if (const auto info = scopes.info(reader, row.id); !info) whole = info.error();
        if (!whole) report.damages.push_back({scope_name(row.id), whole.error().context()});
        return {};
      },
      [&](ScopeId id) {
        report.damages.push_back({scope_name(id), "its row is damaged"});
      });
}

// An erasure destroys the keys that the scope's row names, by their leaves: both must agree.
Result<void> check_leaves(ControlReader& reader, const RowSeal& seal, CheckReport& report) {
  QUIETUS_TRY_AS(const auto intents, rows::intents(reader, seal));
  QUIETUS_TRY(rows::all_key_rows(
      reader, seal,
      [&](const KeyRow& row) -> Result<void> {
        for (const KeyRecord& key : row.keys) {
          if (is_destroyed(key.state)) continue;
          const auto owner = rows::leaf_owner(reader, seal, key.id);
          if (!owner || !*owner || (*owner)->index != key.leaf || (*owner)->scope != row.id)
            report.damages.push_back({scope_name(row.id), "the leaf of a key is not known"});
        }
        return {};
      },
      [](ScopeId) {}));
  // Between the decision and the end of an erasure the leaves of its keys are still listed.
  if (!intents.empty()) return {};
  return rows::all_leaf_owners(
      reader, seal, [&](KeyId key, const rows::LeafOwner& owner) -> Result<void> {
        if (key == kControlKeyId) return {};
        // So they are after an erasure of many scopes until its rows are cleaned.
        QUIETUS_TRY_AS(const bool dead, rows::is_listed(reader, seal.batch, owner.scope));
        if (dead) return {};
        const auto row = rows::key_row(reader, seal, owner.scope);
        if (!row || !*row) return {};  // reported with the scope's row
        const auto known =
            std::any_of((*row)->keys.begin(), (*row)->keys.end(),
                        [&](const KeyRecord& k) { return k.id == key && !is_destroyed(k.state); });
        if (!known) report.damages.push_back({scope_name(owner.scope), "a key is not in its row"});
        return {};
      });
}

Result<void> check_control(ControlReader& reader, ScopeTable& scopes, const RootRow& root,
                           CheckReport& report) {
  const RowSeal seal = scopes.seal();
  check_log(reader, seal, report);
  QUIETUS_TRY(check_scopes(reader, scopes, report));
  QUIETUS_TRY(check_leaves(reader, seal, report));
  if (const auto rights = check_rights(reader, seal, root); !rights)
    report.damages.push_back({"operators", rights.error().context()});
  QUIETUS_TRY_AS(const auto tables, rows::damaged_tables(reader, seal));
  for (const char table : tables)
    report.damages.push_back({std::string("control store, table ") + table, "a row is damaged"});
  return {};
}

// A copy of a slot that is missing or damaged is a damage too, even while the other one serves.
Result<void> check_slots(VaultCore& core, CheckReport& report) {
  QUIETUS_TRY_AS(const auto lock, RootChangeLock::take(core.lock_files(), LockFile::Mode::kShared,
                                                       core.options.lock_timeout));
  QUIETUS_TRY_AS(const auto slots, core.provider->list());
  for (const SlotName& slot : slots)
    if (core.provider->intact_mirrors(slot) < kSlotMirrors)
      report.damages.push_back({"root slots", "a copy of the slot is missing or damaged"});
  const auto anchor = core.anchor->read(core.header.vault);
  if (!anchor) report.damages.push_back({"anchor", anchor.error().context()});
  return {};
}

}  // namespace

Result<CheckReport> check_vault(VaultCore& core, const Progress& progress) {
  CheckReport report;
  QUIETUS_TRY(core.read(
      [&](ControlReader& reader, ScopeTable& scopes, const RootRow& root) -> Result<void> {
        report = {};
        return check_control(reader, scopes, root, report);
      }));
  QUIETUS_TRY(check_slots(core, report));
  QUIETUS_TRY(check_records(*core.keys, *core.record_store, progress, report));
  return report;
}

}  // namespace quietus
