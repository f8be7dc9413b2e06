// What `cert verify` needs of time stamps.
#pragma once

#include "json_output.hpp"

#include <quietus/certificate.hpp>

#include <optional>
#include <string>

namespace CLI {  // NOLINT(readability-identifier-naming): theirs
class App;
}

namespace quietus::cli {

// Both or neither.
struct TimestampOptions {
  std::optional<std::string> token;  // a file
  std::optional<std::string> ca;     // a file of certificates in PEM
};

void add_timestamp_options(CLI::App& command, TimestampOptions& options);

// Adds the time stamp that the options name, if they do. After an error nothing was added.
Result<void> add_timestamp(VerifiedCertificate& certificate, const TimestampOptions& options);

Json to_json(const VerifiedTimestamp& timestamp);
Json to_json(const std::optional<VerifiedTimestamp>& timestamp);  // null without one

}  // namespace quietus::cli
