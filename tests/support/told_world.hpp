// A vault that tells its recovery site of its erasures, in a folder.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "erase_many.hpp"
#include "keys/inbox.hpp"
#include "support/lost_world.hpp"

namespace quietus::test {

struct ToldWorld : LostWorld {
  std::filesystem::path inbox = folder / "inbox";

  ToldWorld() {
    std::filesystem::create_directory(inbox);
    must(live.vault().escrow().set_inbox(inbox));
  }
  std::vector<std::filesystem::path> notices() const {
    std::vector<std::filesystem::path> found;
    for (const auto& file : std::filesystem::directory_iterator(inbox))
      if (is_notice_file(file.path().filename().string())) found.push_back(file.path());
    std::ranges::sort(found);
    return found;
  }
  Trust trust() const { return trust_in(must(live.vault().log_verifier_key())); }
  InboxReceipt receive() const { return must(site.escrow().receive(inbox, trust())); }
  // Also of one of many that were erased together.
  std::string said_of(const std::string& path) const {
    const auto file = nlohmann::json::parse(must(live.vault().certificate_of(path)));
    const auto claims =
        nlohmann::json::parse(as_text(*from_base64url(file["payload"].get<std::string>())));
    return claims.value("site_inbox", "nothing");
  }
  void erase_together(const std::vector<std::string>& paths) const {
    std::vector<DueErasure> due;
    for (const std::string& path : paths) due.push_back({live.id(path), "test"});
    must(erase_many(*live.core, due));
  }
};

inline void fill_scopes(const Office& live, std::initializer_list<const char*> names) {
  for (const char* name : names) must(live.scope(name).put("a", as_bytes(name)));
}

}  // namespace quietus::test
