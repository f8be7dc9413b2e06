// What the operations do, and what the model makes of them.
#include "faults/copies_machine.hpp"

#include "faults/file_bytes.hpp"
#include "keys/unlock.hpp"
#include "support/lost_world.hpp"

namespace quietus::test {
namespace {

constexpr std::size_t kMostInstances = 4;

}  // namespace

CopiesMachine::CopiesMachine() {
  live_.clock.set(site_.clock.now());
  const RingInfo ring = must(site_.escrow().ring());
  const Trust trust = trust_in(ring.site_vkey);
  must(live_.vault().escrow().import_ring(ring.ring_file, &trust));
  holders_.emplace_back();
  holders_[0].core = live_.core;
  holders_[0].folder = live_.place.vault();
  holders_[0].roots = live_.place.roots();
  loot_.vault = live_.core->header.vault;
  loot_.secrets = {must(load_secret(posix_file_system(), live_.place.unlock()))};
  site_loot_.vault = site_.core->header.vault;
  site_loot_.secrets = {must(load_secret(posix_file_system(), site_.place.unlock()))};
}

void CopiesMachine::run(const std::vector<CopiesOp>& ops) {
  for (const CopiesOp op : ops) {
    ++step_;
    pass(60'000);
    apply(op);
    steal();
  }
  ++step_;
  check_certificates();
  check_adversary();
  check_living();
}

void CopiesMachine::settle() {
  ++step_;
  for (std::size_t tenant = 0; tenant < tenants_.size(); ++tenant) {
    if (!holders_[0].erased.contains(tenant)) continue;
    for (Holder& holder : holders_)
      if (holder.holds(tenant)) erase(holder, tenant);
  }
  for (int i = 0; i < 3; ++i) days();
  exchange();
  steal();
  ++step_;
  check_certificates();
  check_adversary();
  for (const auto& [tenant, step] : holders_[0].erased) {
    INFO(tenants_[tenant].name << ", erased in step " << step);
    CHECK_FALSE(anybody_holds(tenant));
    const auto claims = claims_in(must(holders_[0].vault().certificate_of(tenants_[tenant].name)));
    CHECK(claims["phase"] == "final");
    std::set<std::string> uncovered = uncovered_in(claims);
    for (const Holder& holder : holders_)
      if (!gives_receipts(holder)) uncovered.erase(holder.id);
    CHECK(uncovered.empty());
    CHECK((claims["status"] == "complete") == uncovered_in(claims).empty());
  }
}

// Of those that it did not make itself the vault does not know who signs for them; and of one that
// was destroyed before its own snapshots were gone it has to know their epochs.
bool CopiesMachine::gives_receipts(const Holder& of) const {
  if (of.recovered || of.parent != 0) return false;
  return !of.destroyed || std::ranges::all_of(copies_, [&](const Copy& copy) {
    return &holders_[copy.maker] != &of || std::ranges::any_of(copies_, [&](const Copy& own) {
      return own.maker == 0 && own.expires == copy.expires;
    });
  });
}

void CopiesMachine::pass(UnixMillis time) {
  site_.pass(time);
  live_.clock.set(site_.clock.now());
}

void CopiesMachine::apply(CopiesOp op) {
  Holder& vault = holders_[0];
  switch (op) {
    case CopiesOp::kCreate: return create(vault);
    case CopiesOp::kBackup: return copy(vault, true);
    case CopiesOp::kSnapshot: return copy(vault, false);
    case CopiesOp::kDays: return days();
    case CopiesOp::kRestore: return restore(vault);
    case CopiesOp::kRecover: return recover(true);
    case CopiesOp::kRecoverOlder: return recover(false);
    default: break;
  }
  if (op < CopiesOp::kEraseThere) return change(op, vault);
  const std::size_t instance = an_instance();
  if (instance == 0) return;
  Holder& there = holders_[instance];
  switch (op) {
    case CopiesOp::kCreateThere: return create(there);
    case CopiesOp::kBackupThere: return copy(there, true);
    case CopiesOp::kRestoreThere: return restore(there);
    case CopiesOp::kDestroyThere: return destroy(there);
    default: return change(op, there);
  }
}

void CopiesMachine::change(CopiesOp op, Holder& holder) {
  if (holder.keys.empty()) return;
  const std::size_t tenant = a_tenant_of(holder);
  switch (op) {
    case CopiesOp::kPut:
    case CopiesOp::kPutThere: return put(holder, tenant);
    case CopiesOp::kRotate:
    case CopiesOp::kRotateThere: return rotate(holder, tenant);
    case CopiesOp::kPurge:
    case CopiesOp::kPurgeThere: return purge(holder, tenant);
    default: return erase(holder, tenant);
  }
}

std::size_t CopiesMachine::a_tenant_of(const Holder& holder) const {
  return (step_ & 2) != 0 ? holder.keys.rbegin()->first : holder.keys.begin()->first;
}

// 0: there is none.
std::size_t CopiesMachine::an_instance() const {
  std::size_t found = 0;
  for (std::size_t i = 1; i < holders_.size(); ++i)
    if (!holders_[i].destroyed && (found == 0 || (step_ & 1) == 0)) found = i;
  return found;
}

void CopiesMachine::create(Holder& in) {
  Tenant tenant;
  tenant.name = "tenant-" + std::to_string(tenants_.size());
  tenant.created = step_;
  tenant.id = must(in.vault().create_scope(tenant.name)).id();
  in.keys[tenants_.size()] = {0};
  tenants_.push_back(std::move(tenant));
  put(in, tenants_.size() - 1);
}

void CopiesMachine::put(Holder& in, std::size_t tenant) {
  Tenant& of = tenants_[tenant];
  const Stored stored{"value of step " + std::to_string(step_), *in.keys[tenant].rbegin()};
  must(must(in.vault().scope(of.name)).put("record", as_bytes(stored.value)));
  of.values[stored.value].insert(stored.generation);
  in.records[tenant] = stored;
}

// The record is sealed anew.
void CopiesMachine::rotate(Holder& in, std::size_t tenant) {
  Tenant& of = tenants_[tenant];
  must(in.vault().lifecycle().rotate(of.name, "test"));
  in.keys[tenant].insert(++of.generation);
  const auto stored = in.records.find(tenant);
  if (stored == in.records.end()) return;
  stored->second.generation = of.generation;
  of.values[stored->second.value].insert(of.generation);
}

void CopiesMachine::purge(Holder& in, std::size_t tenant) {
  Tenant& of = tenants_[tenant];
  must(in.vault().lifecycle().purge(of.name, "test"));
  in.keys[tenant] = {++of.generation};
  in.purged[tenant] = step_;
  const auto stored = in.records.find(tenant);
  if (stored == in.records.end()) return;
  stored->second.generation = of.generation;
  of.values[stored->second.value].insert(of.generation);
}

void CopiesMachine::copy(const Holder& from, bool records) {
  Copy made;
  const auto sink = sink_into(made.stream);
  const BackupInfo info = records ? must(from.vault().backups().create(sink))
                                  : must(from.vault().escrow().snapshot(sink));
  made.step = step_;
  made.maker = index_of(from);
  made.has_records = records;
  made.expires = info.epoch_expires_unix_ms;
  made.epoch = site_.open_epoch().public_key;
  REQUIRE(to_hex(made.epoch.id) == info.epoch_id);
  made.keys = from.keys;
  if (records) made.records = from.records;
  copies_.push_back(std::move(made));
}

// Some days go by, the site rolls, its files are imported everywhere.
void CopiesMachine::days() {
  pass(5 * kDayMillis);
  const RingInfo ring = must(site_.escrow().roll()).ring;
  rolled_ = site_.clock.now();
  for (Holder& holder : holders_) {
    if (holder.destroyed) continue;
    must(holder.vault().escrow().import_ring(ring.ring_file));
    must(holder.vault().escrow().import_receipt(ring.receipt));
  }
  for (Holder& holder : holders_)
    if (holder.recovered && holder.announced < 0) holder.announced = step_;
  exchange();
}

void CopiesMachine::erase(Holder& in, std::size_t tenant) {
  const std::string paths[] = {tenants_[tenant].name};
  const std::string certificate = must(in.vault().erase(paths, "test")).certificate;
  in.erased[tenant] = step_;
  in.keys.erase(tenant);
  in.records.erase(tenant);
  offer(in, certificate, {tenant});
}

RestoreOptions CopiesMachine::options_for(const std::filesystem::path& roots) const {
  RestoreOptions options;
  options.create = live_.place.create_options();
  options.create.root_folder = roots;
  return options;
}

const CopiesMachine::Copy* CopiesMachine::newest_records(std::size_t maker) const {
  const auto newest = std::ranges::find_if(copies_.rbegin(), copies_.rend(), [&](const Copy& copy) {
    return copy.has_records && copy.maker == maker;
  });
  return newest == copies_.rend() ? nullptr : &*newest;
}

void CopiesMachine::restore(const Holder& from) {
  const Copy* newest = newest_records(index_of(from));
  if (newest == nullptr || holders_.size() > kMostInstances) return;
  const RestoreReport report = must(
      from.vault().backups().restore(source_of(newest->stream), room("vault-" + number()),
                                     live_.place.unlock(), options_for(room("roots-" + number()))));
  CHECK(report.complete());
  add_instance(index_of(from), report.instance_id, from.keys, newest->records);
}

void CopiesMachine::recover(bool with_log) {
  if (copies_.empty() || !epoch_lives(copies_.back()) || holders_.size() > kMostInstances) return;
  const Copy& newest = copies_.back();
  const Holder& maker = holders_[newest.maker];
  if (maker.destroyed) return;
  const Copy* records = newest_records(newest.maker);
  const Trust trust = trust_in(must(maker.vault().log_verifier_key()));
  EscrowRecovery from;
  from.keys = source_of(newest.stream);
  if (records != nullptr) from.backup = source_of(records->stream);
  from.trust = &trust;
  if (with_log) {
    from.log = room("log-" + number());
    must(maker.vault().export_log(from.log));
  } else {
    const auto begun = must(check_backup(source_of(newest.stream))).info.begun_unix_ms;
    from.accept_log_as_of_unix_ms = begun - begun % kDayMillis;
  }
  const RestoreReport report =
      must(site_.escrow().recover(from, room("vault-" + number()), live_.place.unlock(),
                                  options_for(room("roots-" + number()))));
  CHECK(report.complete());
  // What was erased or purged since is dead in it: the log says so.
  const auto since = [&](const std::map<std::size_t, int>& steps, std::size_t tenant) {
    const auto found = steps.find(tenant);
    return with_log && found != steps.end() && found->second > newest.step;
  };
  Keys keys = newest.keys;
  std::erase_if(keys, [&](const auto& of) {
    return since(maker.erased, of.first) || since(maker.purged, of.first);
  });
  add_instance(newest.maker, report.instance_id, keys,
               records == nullptr ? Records() : records->records);
  holders_.back().recovered = true;
}

void CopiesMachine::add_instance(std::size_t parent, const std::string& id, Keys keys,
                                 const Records& records) {
  Holder holder;
  holder.folder = room("vault-" + number());
  holder.roots = room("roots-" + number());
  holder.core = must(
      VaultCore::open(holder.folder, live_.place.unlock(), {}, {posix_file_system(), live_.clock}));
  holder.id = id;
  holder.parent = parent;
  holder.made = step_;
  holder.keys = std::move(keys);
  for (const auto& [tenant, stored] : records)
    if (holder.keys.contains(tenant) && holder.keys[tenant].contains(stored.generation))
      holder.records[tenant] = stored;
  holders_.push_back(std::move(holder));
}

void CopiesMachine::destroy(Holder& of) {
  Vault vault = of.vault();
  of.core.reset();
  of.last_certificate = must(vault.destroy(room("last-" + of.id), "test")).certificate;
  of.destroyed = true;
  of.keys.clear();
  of.records.clear();
  offer(of, of.last_certificate, {});
}

void CopiesMachine::exchange() {
  for (Holder& from : holders_) {
    if (from.destroyed) offer(from, from.last_certificate, {});
    if (from.destroyed) continue;
    for (const auto& [tenant, step] : from.erased)
      offer(from, must(from.vault().certificate_of(tenants_[tenant].name)), {tenant});
  }
}

// One that is refused says too little yet; the vault knows no key of those that the site made.
void CopiesMachine::offer(Holder& from, const std::string& certificate,
                          std::set<std::size_t> tenants) {
  for (Holder& to : holders_) {
    if (&to == &from || to.destroyed) continue;
    const auto imported = to.vault().backups().import_certificate(certificate);
    const bool known = &to == holders_.data() && from.parent == 0 && !from.recovered;
    if (!imported)
      CHECK(imported.error().code() == (known ? ErrorCode::kRefused : imported.error().code()));
    if (&to != holders_.data() || !imported) continue;
    from.taken.merge(tenants);
    from.last_taken = from.last_taken || from.destroyed;
  }
}

// Everything that lies anywhere now, for good.
void CopiesMachine::steal() {
  site_loot_.control.add(0, bytes_of_file(site_.place.vault() / "control.mdb"));
  for (const Holder& holder : holders_)
    for (const auto& [name, pages] :
         {std::pair("control.mdb", &loot_.control), std::pair("records.mdb", &loot_.records)})
      if (std::filesystem::exists(holder.folder / name))
        pages->add(0, bytes_of_file(holder.folder / name));
}

}  // namespace quietus::test
