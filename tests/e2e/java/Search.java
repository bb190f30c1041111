/* SPDX-License-Identifier: Apache-2.0 */
/* A node of OpenSearch in this process: HOME HTTP-PORT TRANSPORT-PORT. Says "ready" when it answers. */
import java.nio.file.*;
import java.util.*;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

public class Search {
	static class Embedded extends Node {
		Embedded(Environment environment) { super(environment, List.of(Netty4Plugin.class), false); }
	}
	public static void main(String[] args) throws Exception {
		Settings settings = Settings.builder().put("path.home", args[0]).put("http.port", args[1]).put("transport.port", args[2])
			.put("network.host", "127.0.0.1").put("discovery.type", "single-node").put("node.name", "one")
			.put("http.type", "netty4").put("transport.type", "netty4").put("cluster.name", "sonde").put("node.processors", 1)
			.put("cluster.routing.allocation.disk.threshold_enabled", false).build();
		Node node = new Embedded(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "one"));
		node.start();
		System.out.println("ready " + args[1]);
		Thread.currentThread().join();
	}
}
