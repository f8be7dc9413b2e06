// A governed vault with one person for each role.
#pragma once

#include <map>
#include <nlohmann/json.hpp>

#include "support/retention_office.hpp"
#include "support/ssh_signer.hpp"

namespace quietus::test {

struct GovernedOffice : Office {
  std::map<std::string, SshSigner> people;

  GovernedOffice() : Office(nullptr) {
    must(governance().govern(spec("Ada", {"admin"})));
    add("Ben", {"approver"});
    add("Cleo", {"verifier"});
    add("Dan", {"operator"});
    add("Eve", {"auditor"});
  }

  Governance governance() const { return vault().governance(); }

  OperatorSpec spec(const std::string& name, std::vector<std::string> roles,
                    bool security_key = false) {
    people.emplace(name, SshSigner(name, security_key));
    return {name, std::move(roles), people.at(name).line() + "\n"};
  }

  Result<void> try_act(const std::string& name, std::string_view duty) const {
    const std::string text = must(governance().challenge(name, "a test"));
    return governance().act(people.at(name).sign(text, kActNamespace), duty);
  }
  void act(const std::string& name, std::string_view duty) const { must(try_act(name, duty)); }

  // The payload of a certificate.
  std::string claims_of(const std::string& certificate) const {
    const auto file = nlohmann::json::parse(must(vault().certificate(certificate)));
    return std::string(as_text(*from_base64url(file["payload"].get<std::string>())));
  }

  // A change that the only admin approves.
  void change(const RequestInfo& request) const {
    const std::string plan = must(governance().plan(request.id));
    must(approve("Ada", request.id));
    must(governance().execute(request.id));
  }
  void add(const std::string& name, std::vector<std::string> roles, bool security_key = false) {
    act("Ada", "change");
    change(must(governance().propose_operator(spec(name, std::move(roles), security_key))));
  }

  Result<RequestInfo> approve(const std::string& name, const std::string& id,
                              std::uint8_t flags = 1) const {
    const std::string plan = must(governance().plan(id));
    return governance().approve(id, people.at(name).sign(plan, kApproveNamespace, flags));
  }
  Result<RequestInfo> verify(const std::string& name, const std::string& id) const {
    const std::string statement =
        must(governance().verification(id, "identity-card", as_bytes("a scan")));
    return governance().verify(id, statement, people.at(name).sign(statement, kVerifyNamespace));
  }
  // Opened by the operator, verified, not approved.
  std::string opened(const std::string& kind, std::vector<std::string> scopes) const {
    act("Dan", "ask");
    const bool ends = kind == "deletion" || kind == "termination" || kind == "consent-withdrawal";
    const std::string reason = ends ? "deletion-request" : "other";
    const RequestInfo request =
        must(governance().open({kind, std::move(scopes), reason, "somebody@example"}));
    must(verify("Cleo", request.id));
    return request.id;
  }
};

}  // namespace quietus::test
