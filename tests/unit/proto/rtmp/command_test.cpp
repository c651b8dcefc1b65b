#include "proto/rtmp/command.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace mpb::rtmp {
namespace {

using namespace std::string_literals;

/// What a message of the test holds, with bytes of its own.
struct Sent {
  MessageType type{};
  std::uint32_t stream = 0;
  std::string payload;
  std::uint32_t chunk_size = 0;  // with which it was read
};

std::vector<Sent> messages_in(std::string_view bytes, ChunkReader& reader) {
  std::vector<Sent> sent;
  Message message;
  while (true) {
    const std::uint32_t chunk_size = reader.chunk_size();
    if (reader.read(bytes, message) != ChunkReader::Result::kMessage) break;
    sent.push_back({message.type, message.stream, std::string(message.payload), chunk_size});
  }
  EXPECT_TRUE(bytes.empty());
  return sent;
}

Command command_in(const Sent& sent) {
  Message message;
  message.type = sent.type;
  message.payload = sent.payload;
  std::optional<Command> command = read_command(message);
  EXPECT_TRUE(command);
  return command ? *command : Command{};
}

/// The one command in what a writer appended with `chunk_size`.
Command only_command(std::string_view bytes, std::uint32_t chunk_size, std::uint32_t stream = 0) {
  std::string prefixed;
  append_set_chunk_size(prefixed, chunk_size);
  prefixed += bytes;
  ChunkReader reader(64 * 1024);
  const std::vector<Sent> sent = messages_in(prefixed, reader);
  EXPECT_EQ(sent.size(), 2U);
  if (sent.size() != 2) return {};
  EXPECT_EQ(sent[1].type, MessageType::kCommandAmf0);
  EXPECT_EQ(sent[1].stream, stream);
  return command_in(sent[1]);
}

std::string_view info_text(const Command& command, std::size_t index, std::string_view name) {
  if (index >= command.arguments.size()) return "no such argument";
  const amf0::Object* object = command.arguments[index].object();
  return object == nullptr ? "no object" : amf0::text(*object, name);
}

Message command_message(MessageType type, std::string_view payload) {
  Message message;
  message.type = type;
  message.payload = payload;
  return message;
}

std::string payload_of(std::string_view name, double transaction, int nulls) {
  std::string payload;
  amf0::write_string(payload, name);
  amf0::write_number(payload, transaction);
  for (int i = 0; i < nulls; ++i) amf0::write_null(payload);
  return payload;
}

TEST(RtmpCommand, IsNameTransactionAndArguments) {
  std::string payload = payload_of("play", 4, 1);
  amf0::write_string(payload, "s");
  amf0::write_number(payload, -2);
  const auto command = read_command(command_message(MessageType::kCommandAmf0, payload));
  ASSERT_TRUE(command);
  EXPECT_EQ(command->name, "play");
  EXPECT_EQ(command->transaction, 4);
  ASSERT_EQ(command->arguments.size(), 3U);
  EXPECT_EQ(command->text(0), "");
  EXPECT_EQ(command->text(1), "s");
  EXPECT_EQ(command->text(2), "");
  EXPECT_EQ(command->text(3), "");
  EXPECT_EQ(command->number(1), std::nullopt);
  EXPECT_EQ(command->number(2), -2);
  EXPECT_EQ(command->number(3), std::nullopt);
}

TEST(RtmpCommand, TheZeroByteOfAnAmf3MessageMayBeMissingOrMisplaced) {
  const std::string payload = payload_of("createStream", 2, 1);
  for (const auto type : {MessageType::kCommandAmf3, MessageType::kCommandAmf0}) {
    for (const std::string& bytes : {"\0"s + payload, payload}) {
      const auto command = read_command(command_message(type, bytes));
      ASSERT_TRUE(command);
      EXPECT_EQ(command->name, "createStream");
      EXPECT_EQ(command->transaction, 2);
    }
  }
}

TEST(RtmpCommand, OtherMessagesAreNone) {
  const std::string payload = payload_of("play", 4, 1);
  EXPECT_FALSE(read_command(command_message(MessageType::kDataAmf0, payload)));
  EXPECT_FALSE(read_command(command_message(MessageType::kVideo, payload)));
  std::string swapped;
  amf0::write_number(swapped, 4);
  amf0::write_string(swapped, "play");
  for (const std::string& none : {""s, "\0"s, "\x11"s, "\5"s, "\2\0\5play"s, swapped}) {
    for (const auto type : {MessageType::kCommandAmf3, MessageType::kCommandAmf0}) {
      EXPECT_FALSE(read_command(command_message(type, none))) << testing::PrintToString(none);
    }
  }
}

TEST(RtmpCommand, ATransactionMayBeMissing) {
  std::string name;
  amf0::write_string(name, "publish");
  std::string arguments;
  amf0::write_null(arguments);
  amf0::write_string(arguments, "s");
  std::string null;
  amf0::write_null(null);
  for (const std::string& missing : {""s, null}) {
    const std::string payload = name + missing + arguments;
    const auto command = read_command(command_message(MessageType::kCommandAmf0, payload));
    ASSERT_TRUE(command);
    EXPECT_EQ(command->transaction, 0);
    EXPECT_EQ(command->text(1), "s");
    EXPECT_FALSE(command->cut_short);
  }
  EXPECT_TRUE(read_command(command_message(MessageType::kCommandAmf0, name)));
}

TEST(RtmpCommand, ArgumentsAreTakenAsFarAsTheyCanBeRead) {
  const std::string known = payload_of("play", 4, 2);
  for (const std::string& unknown : {"\xff"s, "\x0e"s, "\0\0"s, "\2\0\xff"s, "\x11\x11\1"s}) {
    const std::string payload = known + unknown;
    const auto command = read_command(command_message(MessageType::kCommandAmf0, payload));
    ASSERT_TRUE(command);
    EXPECT_EQ(command->transaction, 4);
    EXPECT_EQ(command->arguments.size(), 2U);
    EXPECT_TRUE(command->cut_short);
  }
  EXPECT_FALSE(read_command(command_message(MessageType::kCommandAmf0, known))->cut_short);
}

TEST(RtmpCommand, ArgumentsAreBoundedInNumber) {
  for (const int sent : {16, 17, 4000}) {
    const std::string payload = payload_of("f", 1, sent);
    const auto command = read_command(command_message(MessageType::kCommandAmf0, payload));
    ASSERT_TRUE(command);
    EXPECT_EQ(command->arguments.size(), 16U);
    EXPECT_EQ(command->cut_short, sent > 16);
  }
}

TEST(RtmpCommand, ArgumentsMayBeOfAmf3) {
  std::string payload = payload_of("publish", 3, 1);
  payload += "\x11\6\5ab\x11\6\x09live"s;
  const auto command = read_command(command_message(MessageType::kCommandAmf3, "\0"s + payload));
  ASSERT_TRUE(command);
  EXPECT_EQ(command->text(1), "ab");
  EXPECT_EQ(command->text(2), "live");
}

TEST(RtmpCommand, ConnectIsAnsweredInFourMessages) {
  std::string out;
  append_connect_success(out, 1, 3, "mpb-1");
  ChunkReader reader(64 * 1024);
  const std::vector<Sent> sent = messages_in(out, reader);
  ASSERT_EQ(sent.size(), 4U);
  EXPECT_EQ(sent[0].type, MessageType::kWindowAckSize);
  EXPECT_EQ(sent[1].type, MessageType::kSetPeerBandwidth);
  EXPECT_EQ(sent[2].type, MessageType::kSetChunkSize);
  EXPECT_EQ(sent[3].chunk_size, kOutChunkSize);
  const Command result = command_in(sent[3]);
  EXPECT_EQ(result.name, "_result");
  EXPECT_EQ(result.transaction, 1);
  ASSERT_EQ(result.arguments.size(), 2U);
  EXPECT_EQ(info_text(result, 0, "fmsVer"), "FMS/3,5,3,888");
  EXPECT_EQ(info_text(result, 1, "level"), "status");
  EXPECT_EQ(info_text(result, 1, "code"), "NetConnection.Connect.Success");
  EXPECT_NE(info_text(result, 1, "description"), "");
  const amf0::Object& info = *result.arguments[1].object();
  ASSERT_NE(amf0::find(info, "objectEncoding"), nullptr);
  EXPECT_EQ(*amf0::find(info, "objectEncoding")->number(), 3);
  ASSERT_NE(amf0::find(info, "data"), nullptr);
  const amf0::Object* data = amf0::find(info, "data")->object();
  ASSERT_NE(data, nullptr);
  EXPECT_TRUE(data->array);
  EXPECT_EQ(amf0::text(*data, "version"), "3,5,3,888");
  EXPECT_EQ(amf0::text(*data, "server_id"), "mpb-1");
}

TEST(RtmpCommand, ARejectedConnectIsAnError) {
  std::string out;
  append_connect_rejected(out, 1, std::string(300, 'x'));  // longer than the chunks before any
  ChunkReader reader(64 * 1024);
  const std::vector<Sent> sent = messages_in(out, reader);
  ASSERT_EQ(sent.size(), 1U);
  const Command error = command_in(sent[0]);
  EXPECT_EQ(error.name, "_error");
  EXPECT_EQ(error.transaction, 1);
  ASSERT_EQ(error.arguments.size(), 2U);
  EXPECT_EQ(info_text(error, 1, "level"), "error");
  EXPECT_EQ(info_text(error, 1, "code"), "NetConnection.Connect.Rejected");
  EXPECT_EQ(info_text(error, 1, "description"), std::string(300, 'x'));
}

TEST(RtmpCommand, AResultHasANumberOrUndefined) {
  std::string number;
  append_result(number, 4, 1.0);
  const Command with_number = only_command(number, kOutChunkSize);
  EXPECT_EQ(with_number.name, "_result");
  EXPECT_EQ(with_number.transaction, 4);
  ASSERT_EQ(with_number.arguments.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<amf0::Null>(with_number.arguments[0]));
  EXPECT_EQ(with_number.number(1), 1.0);
  std::string undefined;
  append_result(undefined, 5, std::nullopt);
  const Command without = only_command(undefined, kOutChunkSize);
  ASSERT_EQ(without.arguments.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<amf0::Undefined>(without.arguments[1]));
}

TEST(RtmpCommand, AnErrorTellsCodeAndDescription) {
  std::string out;
  append_error(out, 6, "NetStream.Publish.BadName", "taken", 128);
  const Command error = only_command(out, 128);
  EXPECT_EQ(error.name, "_error");
  EXPECT_EQ(error.transaction, 6);
  EXPECT_EQ(info_text(error, 1, "level"), "error");
  EXPECT_EQ(info_text(error, 1, "code"), "NetStream.Publish.BadName");
  EXPECT_EQ(info_text(error, 1, "description"), "taken");
}

TEST(RtmpCommand, AStatusBelongsToAStream) {
  std::string out;
  append_status(out, 7, "status", "NetStream.Play.Start", "Started playing.");
  const Command status = only_command(out, kOutChunkSize, 7);
  EXPECT_EQ(status.name, "onStatus");
  EXPECT_EQ(status.transaction, 0);
  ASSERT_EQ(status.arguments.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<amf0::Null>(status.arguments[0]));
  EXPECT_EQ(info_text(status, 1, "level"), "status");
  EXPECT_EQ(info_text(status, 1, "code"), "NetStream.Play.Start");
  EXPECT_EQ(info_text(status, 1, "description"), "Started playing.");
}

TEST(RtmpCommand, AnFcStatusHasNoLevel) {
  std::string out;
  append_fc_status(out, "onFCPublish", "NetStream.Publish.Start", "Started publishing stream.");
  const Command status = only_command(out, kOutChunkSize);
  EXPECT_EQ(status.name, "onFCPublish");
  ASSERT_EQ(status.arguments.size(), 2U);
  ASSERT_NE(status.arguments[1].object(), nullptr);
  EXPECT_EQ(amf0::find(*status.arguments[1].object(), "level"), nullptr);
  EXPECT_EQ(info_text(status, 1, "code"), "NetStream.Publish.Start");
}

TEST(RtmpCommand, TheClientsCommands) {
  std::string out;
  append_connect(out, "live", "rtmp://a.test/live");
  const Command connect = only_command(out, kDefaultChunkSize);
  EXPECT_EQ(connect.name, "connect");
  EXPECT_EQ(connect.transaction, 1);
  EXPECT_EQ(info_text(connect, 0, "app"), "live");
  EXPECT_EQ(info_text(connect, 0, "tcUrl"), "rtmp://a.test/live");

  out.clear();
  append_create_stream(out, 2);
  EXPECT_EQ(only_command(out, kDefaultChunkSize).name, "createStream");
  EXPECT_EQ(only_command(out, kDefaultChunkSize).transaction, 2);

  out.clear();
  append_publish(out, 3, "s?key=a");
  const Command publish = only_command(out, kDefaultChunkSize, 3);
  EXPECT_EQ(publish.name, "publish");
  EXPECT_EQ(publish.text(1), "s?key=a");
  EXPECT_EQ(publish.text(2), "live");

  out.clear();
  append_play(out, 4, "s");
  const Command play = only_command(out, kDefaultChunkSize, 4);
  EXPECT_EQ(play.name, "play");
  EXPECT_EQ(play.text(1), "s");
}

}  // namespace
}  // namespace mpb::rtmp
