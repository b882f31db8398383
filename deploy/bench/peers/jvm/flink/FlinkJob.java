import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/** FlinkJob BOOTSTRAP GROUP FOLDER COMMANDS TOLD SMS PARTITIONS hashmap|rocksdb: exactly once, till it is ended. */
public final class FlinkJob {
    private static final long CHECKPOINT_MS = 1000;

    public static void main(String[] words) throws Exception {
        var settings = new Configuration();
        settings.setString("state.backend.type", words[7]);
        settings.setString("execution.checkpointing.dir", "file://" + words[2] + "/checkpoints");
        settings.setString("execution.checkpointing.incremental", String.valueOf(words[7].equals("rocksdb")));
        settings.setString("io.tmp.dirs", words[2]);
        var flow = StreamExecutionEnvironment.createLocalEnvironment(1, settings);
        flow.enableCheckpointing(CHECKPOINT_MS, CheckpointingMode.EXACTLY_ONCE);
        flow.getConfig().enableObjectReuse();
        var commands = KafkaSource.<Tuple2<String, byte[]>>builder()
                .setBootstrapServers(words[0])
                .setGroupId(words[1])
                .setTopics(words[3])
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setDeserializer(new Raw())
                .build();
        var sink = KafkaSink.<Tuple4<Boolean, String, byte[], Long>>builder()
                .setBootstrapServers(words[0])
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(words[1])
                .setProperty("transaction.timeout.ms", "60000")
                .setProperty("compression.type", "lz4")
                .setRecordSerializer(new Written(words[4], words[5]))
                .build();
        flow.fromSource(commands, WatermarkStrategy.forMonotonousTimestamps(), "commands")
                .keyBy(each -> each.f0, Types.STRING)
                .process(new Fold())
                .returns(Types.TUPLE(Types.BOOLEAN, Types.STRING, Types.PRIMITIVE_ARRAY(Types.BYTE), Types.LONG))
                .sinkTo(sink);
        flow.execute("complaints");
    }

    private static final class Raw implements KafkaRecordDeserializationSchema<Tuple2<String, byte[]>> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Tuple2<String, byte[]>> out) {
            out.collect(Tuple2.of(new String(record.key(), StandardCharsets.UTF_8), record.value()));
        }

        @Override
        public TypeInformation<Tuple2<String, byte[]>> getProducedType() {
            return Types.TUPLE(Types.STRING, Types.PRIMITIVE_ARRAY(Types.BYTE));
        }
    }

    /** Whether it is told (or an SMS), case, value, event time. */
    private static final class Written implements KafkaRecordSerializationSchema<Tuple4<Boolean, String, byte[], Long>> {
        private final String told;
        private final String sms;

        Written(String told, String sms) {
            this.told = told;
            this.sms = sms;
        }

        @Override
        public ProducerRecord<byte[], byte[]> serialize(
                Tuple4<Boolean, String, byte[], Long> each, KafkaSinkContext context, Long timestamp) {
            var key = each.f1.getBytes(StandardCharsets.UTF_8);
            return new ProducerRecord<>(each.f0 ? told : sms, null, each.f3, key, each.f2);
        }
    }

    private static final class Fold
            extends KeyedProcessFunction<String, Tuple2<String, byte[]>, Tuple4<Boolean, String, byte[], Long>> {
        private transient ValueState<Job.State> states;

        @Override
        public void open(OpenContext context) {
            states = getRuntimeContext().getState(new ValueStateDescriptor<>("states", Job.State.class));
        }

        @Override
        public void processElement(
                Tuple2<String, byte[]> given, Context context, Collector<Tuple4<Boolean, String, byte[], Long>> out)
                throws Exception {
            var command = Job.command(given.f1);
            if (command.id == null) {
                return; // the clock: its timestamp moves the watermark
            }
            var before = states.value();
            long dueBefore = before == null ? 0 : before.dueAt;
            var after = Job.fold(before, command, new Collected(out));
            if (after == null) {
                return;
            }
            states.update(after);
            if (after.dueAt != dueBefore) {
                if (dueBefore != 0) {
                    context.timerService().deleteEventTimeTimer(dueBefore);
                }
                if (after.dueAt != 0) {
                    context.timerService().registerEventTimeTimer(after.dueAt);
                }
            }
        }

        @Override
        public void onTimer(long at, OnTimerContext context, Collector<Tuple4<Boolean, String, byte[], Long>> out)
                throws Exception {
            var state = states.value();
            Job.escalate(context.getCurrentKey(), state, new Collected(out));
            states.update(state);
        }
    }

    private record Collected(Collector<Tuple4<Boolean, String, byte[], Long>> out) implements Job.Out, Serializable {
        @Override
        public void told(String id, byte[] value, long at) {
            out.collect(Tuple4.of(true, id, value, at));
        }

        @Override
        public void sms(String id, byte[] value, long at) {
            out.collect(Tuple4.of(false, id, value, at));
        }
    }
}
