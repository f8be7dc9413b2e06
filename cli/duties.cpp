#include "duties.hpp"

#include <algorithm>
#include <array>

namespace quietus::cli {
namespace {

struct CommandDuty {
  std::string_view command;
  std::string_view duty;
};

constexpr std::array kCommandDuties{
    CommandDuty{"status", "look"},
    CommandDuty{"doctor", "look"},
    CommandDuty{"check", "look"},
    CommandDuty{"metrics", "look"},
    CommandDuty{"tenant list", "look"},
    CommandDuty{"tenant show", "look"},
    CommandDuty{"scope list", "look"},
    CommandDuty{"scope show", "look"},
    CommandDuty{"scope schedule", "look"},
    CommandDuty{"key show", "look"},
    CommandDuty{"hold list", "look"},
    CommandDuty{"policy check", "look"},
    CommandDuty{"policy list", "look"},
    CommandDuty{"policy show", "look"},
    CommandDuty{"policy diff", "look"},
    CommandDuty{"policy plan", "look"},
    CommandDuty{"backup list", "look"},
    CommandDuty{"backup verify", "look"},
    CommandDuty{"escrow list", "look"},
    CommandDuty{"cert list", "look"},
    CommandDuty{"cert show", "look"},
    CommandDuty{"cert key", "look"},
    CommandDuty{"cert verify", "look"},
    CommandDuty{"cert timestamp-request", "look"},
    CommandDuty{"cert timestamp-import", "look"},
    CommandDuty{"cert render", "look"},
    CommandDuty{"audit log", "look"},
    CommandDuty{"audit report", "look"},
    CommandDuty{"audit verify", "look"},
    CommandDuty{"audit checkpoint", "look"},
    CommandDuty{"audit proof", "look"},
    CommandDuty{"audit export", "look"},
    CommandDuty{"audit witness-key", "look"},
    CommandDuty{"audit cosign", "look"},
    CommandDuty{"audit add-cosignature", "look"},
    CommandDuty{"operator list", "look"},
    CommandDuty{"request list", "look"},
    CommandDuty{"request show", "look"},
    CommandDuty{"request plan", "look"},

    CommandDuty{"put", "records"},
    CommandDuty{"get", "records"},
    CommandDuty{"ls", "records"},
    CommandDuty{"rm", "records"},
    CommandDuty{"seal", "records"},
    CommandDuty{"open", "records"},
    CommandDuty{"pseudonym", "records"},
    CommandDuty{"import", "records"},
    CommandDuty{"export", "records"},

    CommandDuty{"tenant create", "scopes"},
    CommandDuty{"tenant terminate", "scopes"},
    CommandDuty{"scope create", "scopes"},
    CommandDuty{"scope keep", "scopes"},
    CommandDuty{"scope expire", "scopes"},
    CommandDuty{"scope withdraw", "scopes"},
    CommandDuty{"key suspend", "scopes"},
    CommandDuty{"key resume", "scopes"},
    CommandDuty{"key deactivate", "scopes"},
    CommandDuty{"key compromise", "scopes"},
    CommandDuty{"key rotate", "scopes"},

    CommandDuty{"backup create", "keep"},
    CommandDuty{"backup forget", "keep"},
    CommandDuty{"backup restore", "keep"},
    CommandDuty{"backup drill", "keep"},
    CommandDuty{"escrow init", "keep"},
    CommandDuty{"escrow roll", "keep"},
    CommandDuty{"escrow import-ring", "keep"},
    CommandDuty{"escrow snapshot", "keep"},
    CommandDuty{"escrow import-receipt", "keep"},
    CommandDuty{"escrow takeover", "keep"},
    CommandDuty{"escrow inbox", "keep"},
    CommandDuty{"escrow tell", "keep"},
    CommandDuty{"escrow receive", "keep"},
    CommandDuty{"cert import", "keep"},
    CommandDuty{"reclaim", "keep"},

    CommandDuty{"hold place", "hold"},

    CommandDuty{"request open", "ask"},
    CommandDuty{"request cancel", "ask"},

    CommandDuty{"request verify", "verify"},
    CommandDuty{"request extend", "verify"},

    CommandDuty{"request approve", "approve"},
    CommandDuty{"request reject", "approve"},

    CommandDuty{"request execute", "execute"},
    CommandDuty{"erase", "execute"},
    CommandDuty{"purge", "execute"},
    CommandDuty{"sweep", "execute"},
    CommandDuty{"clock accept", "execute"},
    CommandDuty{"vault destroy", "execute"},

    CommandDuty{"init", "change"},
    CommandDuty{"doctor --rewrite-anchor", "change"},
    CommandDuty{"unlock change", "change"},
    CommandDuty{"policy apply", "change"},
    CommandDuty{"hold release", "change"},
    CommandDuty{"operator add", "change"},
    CommandDuty{"operator remove", "change"},

    CommandDuty{"operator review", "review"},
};

}  // namespace

std::string_view duty_of(std::string_view command) noexcept {
  const auto* const found = std::ranges::find(kCommandDuties, command, &CommandDuty::command);
  return found == kCommandDuties.end() ? std::string_view() : found->duty;
}

}  // namespace quietus::cli
