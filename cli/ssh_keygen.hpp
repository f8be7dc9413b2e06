// Signing with ssh-keygen: it knows keys in files, agents, passphrases, security keys and their
// touches.
#pragma once

#include <quietus/result.hpp>

#include <string>
#include <string_view>

namespace quietus::cli {

// `identity`: a private key, or a public one whose private half an ssh-agent has. kUnavailable when
// there is no ssh-keygen, or it did not sign; what it says goes to standard error.
Result<std::string> sign_with(const std::string& identity, std::string_view name_space,
                              std::string_view text);

}  // namespace quietus::cli
