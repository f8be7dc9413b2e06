// Authenticates everything that is stored and tells what is damaged.
#pragma once

#include <quietus/vault.hpp>

#include "keys/key_store.hpp"
#include "storage/record_store.hpp"

namespace quietus {

struct VaultCore;

// The whole vault: log, scopes and record store. Errors of KeyStore::read and check_records.
Result<CheckReport> check_vault(VaultCore& core, const Progress& progress);

// Opens every row of the record store and goes on after each damage. Rows are copied before they
// are opened, so that nobody can change them between two looks. Adds to `report`: records and bytes
// that authenticated, damages, records of erased scopes, and rows of large objects that no record
// names; those of writes under way are among them. `progress` is told the number of records done
// and, when it returns false, ends the check with kRefused. Errors of KeyStore::with_scope and
// RecordStore::read that say nothing about one scope.
Result<void> check_records(KeyStore& keys, RecordStore& store, const Progress& progress,
                           CheckReport& report);

}  // namespace quietus
