import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/** The short job of deploy/bench/jobs/complaints.py: what a command does, whatever engine runs it. */
final class Job {
    static final long DUE_MS = 3L * 24 * 60 * 60 * 1000;

    private static final ObjectMapper JSON =
            new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false);
    private static final ObjectReader COMMANDS = JSON.readerFor(Command.class);
    private static final ObjectWriter TOLD = JSON.writerFor(Told.class);
    private static final ObjectWriter SMS = JSON.writerFor(Sms.class);

    private Job() {}

    static final class Command {
        public String type;

        @JsonProperty("case")
        public String id;

        public long at;
        public int district;
        public String category;
        public String text;
        public String officer;
        public boolean satisfied;
    }

    record Told(
            String type,
            @JsonProperty("case") String id,
            long at,
            String kind,
            int district,
            String category,
            int level,
            @JsonProperty("due_at") long dueAt,
            int number) {}

    record Sms(String type, @JsonProperty("case") String id, long at, String office) {}

    /** Where records go; `at` is their event time, UTC ms. */
    interface Out {
        void told(String id, byte[] value, long at);

        void sms(String id, byte[] value, long at);
    }

    /** A complaint; `dueAt` is 0 where nothing is due. Public and mutable, as Flink wants it. */
    public static final class State {
        public int district;
        public String category;
        public String status;
        public long dueAt;
        public long openedAt;
        public long touchedAt;
        public int level = 1;
        public int commands = 1;

        byte[] toBytes() {
            var bytes = new ByteArrayOutputStream(64);
            try (var out = new DataOutputStream(bytes)) {
                out.writeInt(district);
                out.writeUTF(category);
                out.writeUTF(status);
                out.writeLong(dueAt);
                out.writeLong(openedAt);
                out.writeLong(touchedAt);
                out.writeInt(level);
                out.writeInt(commands);
            } catch (IOException impossible) {
                throw new UncheckedIOException(impossible);
            }
            return bytes.toByteArray();
        }

        static State of(byte[] bytes) {
            var state = new State();
            try (var in = new DataInputStream(new ByteArrayInputStream(bytes))) {
                state.district = in.readInt();
                state.category = in.readUTF();
                state.status = in.readUTF();
                state.dueAt = in.readLong();
                state.openedAt = in.readLong();
                state.touchedAt = in.readLong();
                state.level = in.readInt();
                state.commands = in.readInt();
            } catch (IOException impossible) {
                throw new UncheckedIOException(impossible);
            }
            return state;
        }
    }

    static Command command(byte[] value) {
        try {
            return COMMANDS.readValue(value);
        } catch (IOException fault) {
            throw new UncheckedIOException(fault);
        }
    }

    /** Fold a command into the state of its complaint; answers the state after it, which may be null. */
    static State fold(State state, Command command, Out out) {
        if (command.type.equals("bench.registered.v1")) {
            if (state != null) {
                return state;
            }
            var made = new State();
            made.district = command.district;
            made.category = command.category;
            made.status = "open";
            made.dueAt = command.at + DUE_MS;
            made.openedAt = made.touchedAt = command.at;
            told(command.id, command.at, "registered", made, out);
            var sms = new Sms("bench.sms.v1", command.id, command.at, "office-" + command.district);
            out.sms(command.id, bytes(SMS, sms), command.at);
            return made;
        }
        if (state == null) {
            return null;
        }
        state.touchedAt = command.at;
        state.commands += 1;
        if (command.type.equals("bench.disposed.v1") && state.status.equals("open")) {
            state.status = "disposed";
            state.dueAt = 0;
            told(command.id, command.at, "disposed", state, out);
        } else if (command.type.equals("bench.answered.v1") && state.status.equals("disposed")) {
            state.status = command.satisfied ? "closed" : "open";
            state.dueAt = command.satisfied ? 0 : command.at + DUE_MS;
            told(command.id, command.at, command.satisfied ? "closed" : "reopened", state, out);
        }
        return state;
    }

    /** Its deadline has passed. */
    static void escalate(String id, State state, Out out) {
        long dueAt = state.dueAt;
        state.level += 1;
        state.dueAt = 0;
        told(id, dueAt, "escalated", state, out);
    }

    private static void told(String id, long at, String kind, State state, Out out) {
        var told = new Told(
                "bench.told.v1", id, at, kind, state.district, state.category, state.level, state.dueAt, state.commands);
        out.told(id, bytes(TOLD, told), at);
    }

    private static byte[] bytes(ObjectWriter writer, Object value) {
        try {
            return writer.writeValueAsBytes(value);
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
    }
}
