# The messages and services of proto/, generated into a library of its own: without our warnings, and seen as a system
# header by those who link it.
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

set(messages_root ${CMAKE_SOURCE_DIR}/proto)
set(messages_out ${CMAKE_BINARY_DIR}/proto)
file(MAKE_DIRECTORY ${messages_out})
file(GLOB_RECURSE messages_files CONFIGURE_DEPENDS RELATIVE ${messages_root} ${messages_root}/*.proto)

set(messages_sources)
foreach(file ${messages_files})
  string(REGEX REPLACE "\\.proto$" "" stem ${file})
  set(generated ${messages_out}/${stem}.pb.cc ${messages_out}/${stem}.pb.h)
  set(services)
  if(stem MATCHES "_service$")
    list(APPEND generated ${messages_out}/${stem}.grpc.pb.cc ${messages_out}/${stem}.grpc.pb.h)
    set(services --grpc_out=${messages_out} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN})
  endif()
  add_custom_command(OUTPUT ${generated}
    COMMAND protobuf::protoc -I${messages_root} --cpp_out=${messages_out} ${services} ${messages_root}/${file}
    DEPENDS ${messages_root}/${file}
    COMMENT "Generating ${stem}"
    VERBATIM)
  list(APPEND messages_sources ${generated})
endforeach()

add_library(call_messages STATIC ${messages_sources})
target_include_directories(call_messages SYSTEM PUBLIC ${messages_out})
target_link_libraries(call_messages PUBLIC protobuf::libprotobuf gRPC::grpc++)
target_compile_options(call_messages PRIVATE -w)
target_precompile_headers(call_messages PRIVATE <grpcpp/grpcpp.h> <google/protobuf/message.h>
  <google/protobuf/generated_message_reflection.h> <google/protobuf/wire_format.h>)
