// A vault, the recovery site that its ring is of, and the loss of its host.
#pragma once

#include <nlohmann/json.hpp>

#include "backup_format.hpp"
#include "support/escrow_office.hpp"
#include "support/streams.hpp"

namespace quietus::test {

inline Trust trust_in(const std::string& vkey) {
  return must(Trust::parse("log " + vkey + "\nquorum none\n"));
}

// A vault, its recovery site elsewhere, and room for what is recovered.
struct LostWorld {
  SiteOffice site;
  Office live{nullptr};
  TemporaryFolder folder{TemporaryFolder::in_memory()};
  int recovered = 0;

  LostWorld() {
    live.clock.set(site.clock.now());
    import_ring();
  }
  void pass(UnixMillis time) {
    site.pass(time);
    live.clock.set(site.clock.now());
  }
  void import_ring() const {
    const Trust trust = trust_in(must(site.escrow().ring()).site_vkey);
    must(live.vault().escrow().import_ring(must(site.escrow().ring()).ring_file, &trust));
  }
  Bytes backup() const {
    Bytes content;
    must(live.vault().backups().create(sink_into(content)));
    return content;
  }
  Bytes snapshot() const {
    Bytes content;
    must(live.vault().escrow().snapshot(sink_into(content)));
    return content;
  }
  std::filesystem::path exported_log() {
    const auto path = folder / ("log-" + std::to_string(recovered++));
    must(live.vault().export_log(path));
    return path;
  }
  void erase(const std::string& path) const {
    const std::string paths[] = {path};
    must(live.vault().erase(paths, "test"));
  }
  nlohmann::json certificate(const std::string& id) const {
    const auto file = nlohmann::json::parse(must(live.vault().certificate(id)));
    return nlohmann::json::parse(as_text(*from_base64url(file["payload"].get<std::string>())));
  }

  struct Given {
    Bytes keys;
    Bytes backup;
    std::filesystem::path log;
    bool accept = false;
    std::filesystem::path inbox = {};
  };
  std::filesystem::path place() const { return folder / ("vault-" + std::to_string(recovered)); }
  Result<RestoreReport> try_recover(const Given& given) {
    ++recovered;
    const Trust trust = trust_in(must(live.vault().log_verifier_key()));
    EscrowRecovery from;
    from.keys = source_of(given.keys);
    if (!given.backup.empty()) from.backup = source_of(given.backup);
    from.trust = &trust;
    from.log = given.log;
    from.inbox = given.inbox;
    const UnixMillis now = site.clock.now();
    if (given.accept) from.accept_log_as_of_unix_ms = now - now % kDayMillis;
    RestoreOptions options;
    options.create.root_folder = folder / "roots";
    options.create.accept_unknown_medium = true;
    return site.escrow().recover(from, place(), live.place.unlock(), options);
  }
  Vault recovered_vault() const { return must(Vault::open(place(), live.place.unlock())); }
  std::string read(const std::string& path, const char* name) const {
    Vault vault = recovered_vault();
    auto scope = vault.scope(path);
    if (!scope) return std::string(name_of(scope.error().code()));
    const auto value = must(scope->get(name));
    return value ? std::string(as_text(*value)) : "none";
  }
};

}  // namespace quietus::test
