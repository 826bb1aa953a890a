import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/** Publishes three events with Kafka's own client. */
public class PublishEvents {
    /** A UUIDv7 (RFC 9562): made once for each event, and kept with it until it is delivered. */
    static UUID newEventId() {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        long high = System.currentTimeMillis() << 16 | 0x7000 | random.nextLong() & 0xFFF;
        long low = random.nextLong() & 0x3FFFFFFFFFFFFFFFL | 0x8000000000000000L;
        return new UUID(high, low);
    }

    /** One event. Let a JSON library write it where a campaign id may hold quotes. */
    static String event(String campaignId, String type, int count) {
        Instant now = Instant.now().truncatedTo(ChronoUnit.MICROS);
        return """
            {"event_id": "%s", "campaign_id": "%s", "event_type": "%s", "occurred_at": "%s", "count": %d}"""
            .formatted(newEventId(), campaignId, type, now, count);
    }

    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("KAFKA_BOOTSTRAP_SERVERS"));
        settings.put(ProducerConfig.ACKS_CONFIG, "all");
        settings.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
        String topic = System.getenv().getOrDefault("KAFKA_TOPIC", "campaign-events");
        String campaignId = "java-campaign";
        List<Future<RecordMetadata>> deliveries = new ArrayList<>();
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (String type : List.of("sent", "opened", "replied")) {
                // The key is the campaign id: a campaign's events share a partition.
                String value = event(campaignId, type, 2);
                deliveries.add(producer.send(new ProducerRecord<>(topic, campaignId, value)));
            }
            for (Future<RecordMetadata> delivery : deliveries) {
                delivery.get(); // throws where the record was given up: then send the same value again
            }
        }
        System.out.println("published " + deliveries.size() + " events of " + campaignId);
    }
}
