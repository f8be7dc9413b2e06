#include "inbox_output.hpp"

#include "printable_text.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {

Json inbox_json(const InboxInfo& inbox) {
  return {{"folder", inbox.folder.empty() ? Json(nullptr) : Json(inbox.folder)},
          {"told", inbox.told},
          {"waiting", inbox.waiting}};
}

std::string inbox_text(const InboxInfo& inbox) {
  return inbox.folder + ", " +
         (inbox.waiting == 0 ? "it was told of every erasure"
                             : counted(inbox.waiting, "erasure") + " not told yet");
}

}  // namespace quietus::cli
