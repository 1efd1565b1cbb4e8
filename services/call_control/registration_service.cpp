#include "call_control/call_message.hpp"
#include "call_control/paging.hpp"
#include "call_control/services.hpp"
#include "call_control/watch_stream.hpp"
#include "trunkline/v1/registration_service.grpc.pb.h"

namespace trunkline::call_control {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using Base = v1::RegistrationService::WithRawCallbackMethod_WatchRegistrations<
    v1::RegistrationService::CallbackService>;

Rejection no_registration(const std::string& user) {
  return reject(call::GrpcCode::not_found, "USER_NOT_REGISTERED", "there is no such registration",
                {{"user", user}});
}

class RegistrationService final : public Base {
 public:
  explicit RegistrationService(std::shared_ptr<Desk> desk) : desk_(std::move(desk)) {}

  ServerUnaryReactor* ListRegistrations(CallbackServerContext* context,
                                        const v1::ListRegistrationsRequest* request,
                                        v1::ListRegistrationsResponse* response) override {
    return desk_->serve_checked(
        context, "RegistrationService.ListRegistrations", request, response,
        [&](call::ListRegistrations list, const auto& answer) {
          Violations wrong;
          const Page page = read_page(*request, wrong);
          if (!wrong.none()) return answer->finish(reject(wrong.all()));
          desk_->ask_for<call::Registrations>(
              std::move(list), answer,
              [page](call::Registrations found, v1::ListRegistrationsResponse& out) {
                put_in_order(found);
                out.set_next_page_token(write_page(
                    found.all, page,
                    [&](const call::Registration& one) { write(one, *out.add_registrations()); }));
              });
        });
  }

  ServerUnaryReactor* GetRegistration(CallbackServerContext* context,
                                      const v1::GetRegistrationRequest* request,
                                      v1::GetRegistrationResponse* response) override {
    return desk_->serve_checked(
        context, "RegistrationService.GetRegistration", request, response,
        [&](call::ListRegistrations list, const auto& answer) {
          desk_->ask(std::move(list),
                     [answer, asked = *request](CallJournal&, const call::Reply& reply) {
                       const auto* found = std::get_if<call::Registrations>(&reply);
                       if (found == nullptr) return answer->finish(reject(reply, {}));
                       const call::Registration* chosen = nullptr;
                       for (const call::Registration& one : found->all) {
                         if (!asked.registration_id().empty() && one.id != asked.registration_id())
                           continue;
                         if (chosen == nullptr || one.registered > chosen->registered)
                           chosen = &one;
                       }
                       if (chosen == nullptr) return answer->finish(no_registration(asked.user()));
                       answer->finish_with([&](v1::GetRegistrationResponse& out) {
                         write(*chosen, *out.mutable_registration());
                       });
                     });
        });
  }

  ServerUnaryReactor* DeleteRegistration(CallbackServerContext* context,
                                         const v1::DeleteRegistrationRequest* request,
                                         v1::DeleteRegistrationResponse* response) override {
    return desk_->serve_checked(
        context, "RegistrationService.DeleteRegistration", request, response,
        [&](call::DeleteRegistration remove, const auto& answer) {
          desk_->ask(std::move(remove),
                     [answer, user = request->user()](CallJournal&, const call::Reply& reply) {
                       const auto* removed = std::get_if<call::Registrations>(&reply);
                       if (removed == nullptr) return answer->finish(reject(reply, {}));
                       if (removed->all.empty()) return answer->finish(no_registration(user));
                       answer->finish_with([&](v1::DeleteRegistrationResponse& out) {
                         for (const call::Registration& one : removed->all)
                           write(one, *out.add_registrations());
                       });
                     });
        });
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchRegistrations(
      CallbackServerContext* context, const grpc::ByteBuffer* raw) override {
    v1::WatchRegistrationsRequest request;
    grpc::ByteBuffer copy(*raw);
    // What can't be read is a message without the one field that there is.
    (void)grpc::SerializationTraits<v1::WatchRegistrationsRequest>::Deserialize(&copy, &request);
    return WatchStream::serve(
        desk_, context, "RegistrationService.WatchRegistrations", desk_->journal.registrations(),
        request.resume_token(), [this](std::shared_ptr<WatchStream> stream) {
          desk_->ask(call::ListRegistrations{},
                     [stream = std::move(stream)](CallJournal& journal, const call::Reply& reply) {
                       const auto* now = std::get_if<call::Registrations>(&reply);
                       if (now == nullptr) return stream->end(reject(reply, {}));
                       stream->begin(journal.begin_registrations(now->all));
                     });
        });
  }

  ServerUnaryReactor* CreateCredential(CallbackServerContext* context,
                                       const v1::CreateCredentialRequest* request,
                                       v1::CreateCredentialResponse* response) override {
    return desk_->serve_checked(
        context, "RegistrationService.CreateCredential", request, response,
        [&](call::CreateCredential create, const auto& answer) {
          desk_->ask_for<call::Credential>(
              std::move(create), answer,
              [](const call::Credential& made, v1::CreateCredentialResponse& out) {
                out.set_username(made.username);
                out.set_password(made.password);
                write(made.expires, *out.mutable_expire_time());
              });
        });
  }

 private:
  const std::shared_ptr<Desk> desk_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_registration_service(std::shared_ptr<Desk> desk) {
  return std::make_unique<RegistrationService>(std::move(desk));
}

}  // namespace trunkline::call_control
