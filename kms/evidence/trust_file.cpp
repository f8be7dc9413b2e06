#include "evidence/trust_file.hpp"

#include <algorithm>

#include "evidence/cosignature.hpp"
#include "evidence/text_lines.hpp"

namespace quietus {
namespace {

constexpr std::string_view kNone = "none";
constexpr std::string_view kBlank = " \t";
constexpr std::size_t kMaxName = 255;                     // bytes
constexpr std::uint64_t kMaxShownSeconds = 253402300799;  // the end of the year 9999

Error wrong(std::string what) {
  return {ErrorCode::kInvalidArgument, std::move(what)};
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = line.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find_first_of(kBlank), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

bool has_control_character(std::string_view line) noexcept {
  return std::any_of(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
}

class TrustFileParser {
 public:
  Result<TrustRules> run(std::string_view text) {
    if (text.size() > Trust::kMaxFile) return wrong("trust file is larger than 64 KiB");
    LineReader lines(text);
    std::size_t number = 0;
    while (const auto line = lines.next()) {
      ++number;
      QUIETUS_TRY(take_line(*line).within("line " + std::to_string(number)));
    }
    if (!lines.rest().empty())
      return wrong("line " + std::to_string(number + 1) + ": does not end in a newline");
    if (rules_.quorum_name.empty())
      return wrong("trust file has no quorum line; write `quorum none` to need no witness");
    return std::move(rules_);
  }

 private:
  using Words = std::vector<std::string_view>;

  Result<void> take_line(std::string_view line) {
    if (has_control_character(line)) return wrong("has a control character");
    const Words words = words_of(line);
    if (words.empty() || words[0].starts_with('#')) return {};
    if (words[0] == "log") return take_log(words);
    if (words[0] == "witness") return take_witness(words);
    if (words[0] == "group") return take_group(words);
    if (words[0] == "quorum") return take_quorum(words);
    if (words[0] == "issuer") return take_issuer(words);
    return wrong("begins with none of log, witness, group, quorum, issuer");
  }

  Result<void> take_log(const Words& words) {
    if (words.size() < 2 || words.size() > 3) return wrong("is not `log <vkey> [<url>]`");
    if (rules_.logs.size() == Trust::kMaxLogs) return wrong("is one log too many");
    QUIETUS_TRY_AS(NoteKey key, read_vkey(words[1], NoteKeyType::kEd25519));
    for (const NoteKey& other : rules_.logs)
      if (other.key == key.key) return wrong("names the key of a log a second time");
    rules_.logs.push_back(std::move(key));
    return {};
  }

  Result<void> take_witness(const Words& words) {
    if (words.size() < 3 || words.size() > 4)
      return wrong("is not `witness <name> <vkey> [<url>]`");
    QUIETUS_TRY(check_new_name(words[1]));
    QUIETUS_TRY_AS(NoteKey key, read_vkey(words[2], NoteKeyType::kCosignature));
    for (const Voter& other : rules_.voters)
      if (other.key && other.key->key == key.key)
        return wrong("names the key of a witness a second time");
    Voter witness;
    witness.name = words[1];
    witness.key = std::move(key);
    rules_.voters.push_back(std::move(witness));
    return {};
  }

  Result<void> take_group(const Words& words) {
    if (words.size() < 4) return wrong("is not `group <name> any|all|<number> <name>...`");
    QUIETUS_TRY(check_new_name(words[1]));
    Voter group;
    group.name = words[1];
    const std::size_t count = words.size() - 3;
    QUIETUS_TRY_AS(group.threshold, read_threshold(words[2], count));
    for (const std::string_view name : Words(words.begin() + 3, words.end())) {
      QUIETUS_TRY_AS(const std::size_t member, find_voter(name));
      if (rules_.voters[member].in_group)
        return wrong("has a member that is in a group already: " + std::string(name));
      rules_.voters[member].in_group = true;
      group.members.push_back(member);
    }
    rules_.voters.push_back(std::move(group));
    return {};
  }

  Result<void> take_quorum(const Words& words) {
    if (words.size() != 2) return wrong("is not `quorum <name>|none`");
    if (!rules_.quorum_name.empty()) return wrong("is a second quorum line");
    if (words[1] != kNone) {
      QUIETUS_TRY_AS(rules_.quorum, find_voter(words[1]));
    }
    rules_.quorum_name = words[1];
    return {};
  }

  Result<void> take_issuer(const Words& words) {
    if (words.size() != 3 || words[1].size() > kMaxName)
      return wrong("is not `issuer <name> <base64>`");
    if (rules_.issuer) return wrong("is a second issuer line; make one trust file for each vault");
    const std::string pem =
        "-----BEGIN PUBLIC KEY-----\n" + std::string(words[2]) + "\n-----END PUBLIC KEY-----\n";
    const Result<Ed25519PublicKey> key = ed25519_from_pem(pem);
    if (!key)
      return wrong("the issuer's key is not the base64 line of an Ed25519 public key in PEM");
    rules_.issuer = TrustedIssuer{std::string(words[1]), *key};
    return {};
  }

  static Result<NoteKey> read_vkey(std::string_view text, NoteKeyType type) {
    Result<NoteKey> key = parse_vkey(text, type);
    if (!key) return wrong(key.error().context());
    return key;
  }

  static Result<std::size_t> read_threshold(std::string_view word, std::size_t members) {
    if (word == "any") return std::size_t{1};
    if (word == "all") return members;
    const auto number = parse_decimal(word);
    if (!number || *number == 0 || *number > members)
      return wrong("has a threshold that is neither any nor all nor a number from 1 to " +
                   std::to_string(members));
    return static_cast<std::size_t>(*number);
  }

  Result<void> check_new_name(std::string_view name) const {
    if (name == kNone) return wrong("gives the name none, which has a meaning of its own");
    if (name.size() > kMaxName) return wrong("has a name of more than 255 bytes");
    if (find_voter(name).ok()) return wrong("gives a name a second time: " + std::string(name));
    if (rules_.voters.size() == Trust::kMaxVoters) return wrong("is one witness or group too many");
    return {};
  }

  Result<std::size_t> find_voter(std::string_view name) const {
    const auto& voters = rules_.voters;
    const auto found = std::find_if(voters.begin(), voters.end(),
                                    [&](const Voter& voter) { return voter.name == name; });
    if (found == voters.end())
      return wrong("uses a name that no line above gives: " + std::string(name));
    return static_cast<std::size_t>(found - voters.begin());
  }

  TrustRules rules_;
};

// Which voters a set of cosignatures makes say yes. Members stand before their groups.
std::vector<bool> votes(const TrustRules& rules,
                        const std::vector<VerifiedCosignature>& cosignatures) {
  std::vector<bool> yes(rules.voters.size(), false);
  for (const VerifiedCosignature& cosignature : cosignatures) yes[cosignature.voter] = true;
  for (std::size_t i = 0; i < rules.voters.size(); ++i) {
    const Voter& voter = rules.voters[i];
    if (voter.key) continue;
    const auto count = std::count_if(voter.members.begin(), voter.members.end(),
                                     [&](std::size_t member) { return yes[member]; });
    yes[i] = static_cast<std::size_t>(count) >= voter.threshold;
  }
  return yes;
}

// The names of the witnesses below `voter` that did not say yes. Recursion ends: members stand
// before their groups.
void collect_missing(  // NOLINT(misc-no-recursion)
    const TrustRules& rules, const std::vector<bool>& yes, std::size_t voter, std::string& names) {
  if (rules.voters[voter].key && !yes[voter])
    names += (names.empty() ? "" : ", ") + rules.voters[voter].name;
  for (const std::size_t member : rules.voters[voter].members)
    collect_missing(rules, yes, member, names);
}

}  // namespace

Result<TrustRules> parse_trust_file(std::string_view text) {
  return TrustFileParser().run(text);
}

Result<std::vector<VerifiedCosignature>> verified_cosignatures(const TrustRules& rules,
                                                               const SignedNote& note) {
  std::vector<VerifiedCosignature> found;
  for (std::size_t i = 0; i < rules.voters.size(); ++i) {
    if (!rules.voters[i].key) continue;
    QUIETUS_TRY_AS(const auto time, cosigned_at(note, *rules.voters[i].key));
    if (time) found.push_back({i, *time});
  }
  return found;
}

std::vector<WitnessStatement> statements_of(const TrustRules& rules,
                                            const std::vector<VerifiedCosignature>& cosignatures) {
  std::vector<WitnessStatement> statements;
  for (const VerifiedCosignature& cosignature : cosignatures) {
    // 2^63 - 1 seconds are more than fit in milliseconds.
    const auto seconds =
        static_cast<std::int64_t>(std::min(cosignature.unix_seconds, kMaxShownSeconds));
    statements.push_back({rules.voters[cosignature.voter].name, seconds * 1000});
  }
  return statements;
}

Result<void> check_quorum(const TrustRules& rules,
                          const std::vector<VerifiedCosignature>& cosignatures) {
  if (!rules.quorum) return {};
  const std::vector<bool> yes = votes(rules, cosignatures);
  if (yes[*rules.quorum]) return {};
  std::string missing;
  collect_missing(rules, yes, *rules.quorum, missing);
  return Error(ErrorCode::kUnverified,
               "quorum " + rules.quorum_name + " is not met: no cosignature by " + missing);
}

}  // namespace quietus
