import org.apache.directory.api.ldap.model.name.Dn;
import org.apache.directory.server.core.factory.DefaultDirectoryServiceFactory;
import org.apache.directory.server.core.partition.impl.avl.AvlPartition;
import org.apache.directory.server.ldap.LdapServer;
import org.apache.directory.server.ldap.replication.provider.SyncReplRequestHandler;
import org.apache.directory.server.protocol.shared.transport.TcpTransport;

/** An ApacheDS with dc=example,dc=test, in memory, that offers content synchronization: ApacheDs PORT LIMIT, where a
 * search of others than its administrator gives so many entries at most (0: as many as there are). */
class ApacheDs {
    public static void main(String[] arguments) throws Exception {
        var factory = new DefaultDirectoryServiceFactory();
        factory.init("rollcall");
        var service = factory.getDirectoryService();
        var partition = new AvlPartition(service.getSchemaManager(), service.getDnFactory());
        partition.setId("example");
        partition.setSuffixDn(new Dn(service.getSchemaManager(), "dc=example,dc=test"));
        service.addPartition(partition);
        var server = new LdapServer();
        server.setTransports(new TcpTransport("127.0.0.1", Integer.parseInt(arguments[0])));
        server.setDirectoryService(service);
        server.setMaxSizeLimit(Long.parseLong(arguments[1]));
        server.setReplicationReqHandler(new SyncReplRequestHandler());
        server.start();
        Thread.currentThread().join();
    }
}
