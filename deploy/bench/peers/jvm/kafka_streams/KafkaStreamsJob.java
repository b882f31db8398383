import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** KafkaStreamsJob BOOTSTRAP GROUP FOLDER COMMANDS TOLD SMS PARTITIONS memory|rocksdb: exactly once, till it is ended. */
public final class KafkaStreamsJob {
    private static final Duration LOOK = Duration.ofMinutes(1);

    public static void main(String[] words) throws InterruptedException {
        var settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, words[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, words[1]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, words[2] + "/state");
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        settings.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
        boolean memory = words[7].equals("memory");
        var states = memory ? Stores.inMemoryKeyValueStore("states") : Stores.persistentKeyValueStore("states");
        var due = memory ? Stores.inMemoryKeyValueStore("due") : Stores.persistentKeyValueStore("due");
        var bytes = Serdes.ByteArray();
        var topology = new Topology()
                .addSource("commands", Serdes.String().deserializer(), bytes.deserializer(), words[3])
                .addProcessor("fold", Fold::new, "commands")
                .addStateStore(Stores.keyValueStoreBuilder(states, Serdes.String(), bytes), "fold")
                .addStateStore(Stores.keyValueStoreBuilder(due, Serdes.Bytes(), bytes), "fold")
                .addSink("told", words[4], Serdes.String().serializer(), bytes.serializer(), "fold")
                .addSink("sms", words[5], Serdes.String().serializer(), bytes.serializer(), "fold");
        var streams = new KafkaStreams(topology, settings);
        streams.setUncaughtExceptionHandler(fault -> {
            fault.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        var ended = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.NOT_RUNNING || now == KafkaStreams.State.ERROR) {
                ended.countDown();
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
        ended.await();
    }

    /** States by case; what is due by instant and case, in the order of the store, so that a look takes what it needs. */
    private static final class Fold implements Processor<String, byte[], String, byte[]>, Job.Out {
        private static final byte[] NOTHING = new byte[0];

        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, byte[]> states;
        private KeyValueStore<Bytes, byte[]> due;

        @Override
        public void init(ProcessorContext<String, byte[]> given) {
            context = given;
            states = given.getStateStore("states");
            due = given.getStateStore("due");
            given.schedule(LOOK, PunctuationType.STREAM_TIME, this::escalate);
        }

        @Override
        public void process(Record<String, byte[]> record) {
            var command = Job.command(record.value());
            if (command.id == null) {
                return; // the clock: it has moved by now
            }
            var kept = states.get(record.key());
            var before = kept == null ? null : Job.State.of(kept);
            long dueBefore = before == null ? 0 : before.dueAt;
            var after = Job.fold(before, command, this);
            if (after == null) {
                return;
            }
            states.put(record.key(), after.toBytes());
            if (after.dueAt != dueBefore) {
                if (dueBefore != 0) {
                    due.delete(place(dueBefore, record.key()));
                }
                if (after.dueAt != 0) {
                    due.put(place(after.dueAt, record.key()), NOTHING);
                }
            }
        }

        private void escalate(long now) {
            var places = new ArrayList<Bytes>();
            try (var found = due.range(place(0, ""), place(now + 1, ""))) {
                found.forEachRemaining(each -> places.add(each.key));
            }
            for (var place : places) {
                var id = new String(place.get(), Long.BYTES, place.get().length - Long.BYTES, StandardCharsets.UTF_8);
                var state = Job.State.of(states.get(id));
                Job.escalate(id, state, this);
                states.put(id, state.toBytes());
                due.delete(place);
            }
        }

        @Override
        public void told(String id, byte[] value, long at) {
            context.forward(new Record<>(id, value, at), "told");
        }

        @Override
        public void sms(String id, byte[] value, long at) {
            context.forward(new Record<>(id, value, at), "sms");
        }

        private static Bytes place(long at, String id) {
            var name = id.getBytes(StandardCharsets.UTF_8);
            return Bytes.wrap(ByteBuffer.allocate(Long.BYTES + name.length).putLong(at).put(name).array());
        }
    }
}
