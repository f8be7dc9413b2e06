// What has to hold after any operations: certificates and the adversary agree.
#include "backup_format.hpp"
#include "faults/adversary_keys.hpp"
#include "faults/copies_machine.hpp"
#include "faults/file_bytes.hpp"
#include "support/streams.hpp"

namespace quietus::test {

nlohmann::json CopiesMachine::claims_in(const std::string& certificate) {
  const auto file = nlohmann::json::parse(certificate);
  return nlohmann::json::parse(as_text(*from_base64url(file["payload"].get<std::string>())));
}

// Instances that the certificate names and has no receipt of.
std::set<std::string> CopiesMachine::uncovered_in(const nlohmann::json& claims) {
  std::set<std::string> found;
  for (const auto& other : claims["instances"])
    if (other["receipt"] == "") found.insert(other["instance_id"].get<std::string>());
  return found;
}

bool CopiesMachine::anybody_opens(std::size_t tenant, const std::set<int>& generations) const {
  const auto opens = [&](const Keys& keys) {
    const auto held = keys.find(tenant);
    return held != keys.end() && std::ranges::any_of(generations, [&](int generation) {
             return held->second.contains(generation);
           });
  };
  return std::ranges::any_of(holders_, [&](const Holder& of) { return opens(of.keys); }) ||
         std::ranges::any_of(copies_,
                             [&](const Copy& of) { return epoch_lives(of) && opens(of.keys); });
}

bool CopiesMachine::anybody_holds(std::size_t tenant) const {
  std::set<int> all;
  for (int i = 0; i <= tenants_[tenant].generation; ++i) all.insert(i);
  return anybody_opens(tenant, all);
}

// The epochs whose private key derives from anything that is in the site's files of every time, and
// what it derives from.
std::map<EpochId, RawKey> CopiesMachine::epochs_left() {
  site_loot_.slots.clear();
  for (const auto& file : files_below(site_.place.roots()))
    if (auto slot = stolen_slot(file.filename(), bytes_of_file(file)))
      site_loot_.slots.insert(std::move(*slot));
  std::map<EpochId, X25519PublicKey> epochs;
  for (const Copy& copy : copies_) epochs[copy.epoch.id] = copy.epoch.key;
  std::map<EpochId, RawKey> found;
  for (const RawKey& secret : Adversary(site_loot_).all_secrets())
    for (const auto& [id, key] : epochs)
      if (epoch_public_key(epoch_key_of(made<LastingKey>(secret), id)) == key) found[id] = secret;
  return found;
}

// The roots of all snapshots whose epoch the site still has, and their rows with them.
void CopiesMachine::open_at_site() {
  loot_.roots.clear();
  const auto left = epochs_left();
  for (const Copy& copy : copies_) {
    INFO("copy of step " << copy.step);
    const ByteSource source = source_of(copy.stream);
    BackupReader reader(source);
    const BackupHead head = must(reader.head());
    while (const auto row = must(reader.next()))
      if (row->copied) loot_.control.add_row(row->key, row->value);
    REQUIRE(reader.seal());
    const KeySeal& seal = *reader.seal();
    const auto from = left.find(seal.epoch);
    CHECK((from != left.end()) == epoch_lives(copy));
    if (from == left.end()) continue;
    const EpochPrivateKey key = epoch_key_of(made<LastingKey>(from->second), seal.epoch);
    const auto context = openssl_engine().make_context();
    loot_.roots.insert(raw(must(open_with_epoch(
        *context, seal.epoch, key, key_seal_data(head, seal.ring, seal.log), seal.sealed))));
  }
}

// With every file of every time, every snapshot that the site still opens, and the root slots that
// are left.
void CopiesMachine::check_adversary() {
  open_at_site();
  loot_.slots.clear();
  for (const Holder& holder : holders_)
    for (const auto& file : files_below(holder.roots))
      if (auto slot = stolen_slot(file.filename(), bytes_of_file(file)))
        loot_.slots.insert(std::move(*slot));
  const Adversary adversary(loot_);
  for (std::size_t tenant = 0; tenant < tenants_.size(); ++tenant) {
    const Tenant& of = tenants_[tenant];
    INFO(of.name);
    CHECK(adversary.scope_keys(of.id).empty() == !anybody_holds(tenant));
    for (const auto& [value, generations] : of.values) {
      INFO(value);
      const ByteView content = as_bytes(value);
      CHECK(
          adversary.records().contains({of.id, "record", Bytes(content.begin(), content.end())}) ==
          anybody_opens(tenant, generations));
    }
  }
}

void CopiesMachine::check_certificates() const {
  for (const Holder& holder : holders_) {
    if (holder.destroyed) continue;
    INFO("of instance " << holder.id);
    for (const auto& [tenant, step] : holder.erased) check_certificate(holder, tenant);
  }
}

void CopiesMachine::check_certificate(const Holder& of, std::size_t tenant) const {
  INFO(tenants_[tenant].name << ", erased in step " << of.erased.at(tenant));
  const auto claims = claims_in(must(of.vault().certificate_of(tenants_[tenant].name)));
  const std::set<std::string> uncovered = uncovered_in(claims);
  // What is complete is so: nobody has the keys.
  if (claims["status"] == "complete") CHECK_FALSE(anybody_holds(tenant));
  CHECK((claims["status"] == "complete") == (claims["phase"] == "final" && uncovered.empty()));
  // While its own snapshots hold them, and no longer, it waits for their epochs.
  std::set<std::string> held;
  for (const Copy& copy : copies_)
    if (&holders_[copy.maker] == &of && copy.keys.contains(tenant) && epoch_lives(copy))
      held.insert(format_utc(copy.expires));
  std::set<std::string> dates;
  for (const auto& snapshot : claims["key_snapshots"])
    if (snapshot["attested"] == false) dates.insert(snapshot["clear_date"].get<std::string>());
  CHECK((claims["phase"] == "live") == !dates.empty());
  // Until all are gone the certificate stands that was written when none was.
  std::erase_if(dates, [&](const std::string& date) { return date <= format_utc(rolled_); });
  if (&of == holders_.data())
    CHECK(dates == held);
  else
    CHECK(std::ranges::includes(dates, held));
  check_named(of, tenant, uncovered);
}

// Those that it was made of, or that were made of it; and those that the site made, once it said
// so.
bool CopiesMachine::knows(const Holder& of, const Holder& other) const {
  const bool vault = &of == holders_.data();
  if (&holders_[of.parent] == &other && !vault) return true;
  if (&holders_[other.parent] == &of && !other.recovered) return true;
  return other.announced >= 0 && (other.announced > of.made || !of.recovered);
}

// It names exactly those other instances that hold the keys, as far as it can know.
void CopiesMachine::check_named(const Holder& of, std::size_t tenant,
                                const std::set<std::string>& named) const {
  const bool vault = &of == holders_.data();
  for (const Holder& other : holders_) {
    if (&other == &of) continue;
    INFO("other instance " << other.id);
    const bool made_here = vault && other.parent == 0 && !other.recovered;
    if (knows(of, other) && other.holds(tenant)) CHECK(named.contains(other.id));
    if (!made_here || !named.contains(other.id)) continue;
    CHECK(other.made > tenants_[tenant].created);
    CHECK(other.made < of.erased.at(tenant));
    CHECK_FALSE(other.last_taken);
    CHECK_FALSE(other.taken.contains(tenant));
    // It waits only for a certificate that there is, and that waits itself.
    CHECK((other.holds(tenant) || other.destroyed || other.erased.contains(tenant)));
  }
}

// What lives can be read in every instance.
void CopiesMachine::check_living() const {
  for (const Holder& holder : holders_) {
    if (holder.destroyed) continue;
    INFO("in instance " << holder.id);
    Vault vault = holder.vault();
    for (std::size_t tenant = 0; tenant < tenants_.size(); ++tenant) {
      const Tenant& of = tenants_[tenant];
      INFO(of.name);
      auto scope = vault.scope(of.name);
      CHECK(scope.ok() == holder.holds(tenant));
      if (!scope) continue;
      const auto stored = holder.records.find(tenant);
      const auto found = must(scope->get("record"));
      REQUIRE(found.has_value() == (stored != holder.records.end()));
      if (found) CHECK(as_text(*found) == stored->second.value);
    }
  }
}

}  // namespace quietus::test
