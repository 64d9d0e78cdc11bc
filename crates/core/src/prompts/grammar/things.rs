//! What stands in houses, on tables and in cupboards.

use super::Group;

pub(super) const FOOD: &[Group] = &[
    Group {
        looks: "freshly baked,golden brown,steaming,toasted,rustic,homemade,half-eaten,miniature",
        objects: "apple pie,croissant,cinnamon roll,sourdough loaf,cheese pizza,meat pie,bagel,lasagna,quiche,pretzel",
        features: "on round wooden board,with crispy edges,with sesame seeds on top,with melted butter,\
                   with one slice missing,on blue ceramic plate,wrapped in checkered cloth",
    },
    Group {
        looks: "creamy,frosted,layered,strawberry,dark chocolate,rainbow-colored,vanilla,caramel-drizzled",
        objects: "cupcake,birthday cake,ice cream sundae,donut,milkshake,pancake stack,cheesecake,macaron tower,\
                  wedding cake,waffle",
        features: "with cherry on top,with colorful sprinkles,with whipped cream swirls,with fresh blueberries,\
                   on scalloped porcelain plate,with tiny candles,with dripping chocolate glaze",
    },
    Group {
        looks: "chilled,frosty,tall,refreshing,overflowing,half-empty,generous,freshly poured",
        objects: "lemonade glass,mango cocktail,iced coffee,root beer mug,berry smoothie,green tea cup,\
                  orange soda bottle,bubble tea,mint julep,tropical punch",
        features: "with striped paper straw,with lemon slice on rim,with floating ice cubes,with mint leaves,\
                   with small paper umbrella,with foamy top,with condensation drops on glass",
    },
];

pub(super) const HOUSEHOLD: &[Group] = &[
    Group {
        looks: "cracked ceramic,blue porcelain,hand-blown glass,copper,enamel white,terracotta,cast iron,pewter",
        objects: "teapot,vase,pitcher,sugar bowl,candle holder,fruit bowl,coffee pot,butter dish,soup tureen,spice jar",
        features: "with floral pattern,with curved handle,with chipped rim,with bird-shaped lid,with fluted sides,\
                   with gold trim,on three short feet",
    },
    Group {
        looks: "retro,mint green,brass,chipped red,minimalist white,wooden,wrought iron,chrome",
        objects: "table lamp,mantel clock,toaster,desk fan,sewing machine,rotary telephone,weighing scale,\
                  alarm clock,gramophone,radio",
        features: "with round dial,with cloth-covered cord,with worn finish,with ornate feet,with large brass knobs,\
                   with rounded corners,with geometric pattern",
    },
];

pub(super) const EVERYDAY: &[Group] = &[
    Group {
        looks: "yellow,transparent blue,worn leather,matte gray,bright red,striped,polka dot,scratched silver",
        objects: "umbrella,lunch box,pencil case,travel mug,key ring,hairbrush,flashlight,thermos flask,suitcase,\
                  eyeglass case",
        features: "with curved wooden handle,covered with travel stickers,with woven wrist strap,with dented side,\
                   with rubber grip,with tiny lock,with bent corner",
    },
    Group {
        looks: "old,well-kept,tarnished,travel-sized,brass,stainless steel,antique,hand-engraved",
        objects: "fountain pen,letter opener,magnifying glass,corkscrew,pocket knife,harmonica,compass,scissors,\
                  cigarette lighter,nail clippers",
        features: "tied with red ribbon,in velvet pouch,on small wooden tray,with worn finish,\
                   in open tin box,with leather sleeve,with stamped gold initials",
    },
];

pub(super) const FURNITURE: &[Group] = &[
    Group {
        looks: "tufted velvet,worn leather,carved oak,mid-century walnut,wicker,pastel pink,gothic,bamboo",
        objects: "armchair,rocking chair,chaise lounge,bar stool,loveseat,throne,office chair,dining chair,bench,ottoman",
        features: "with brass nail trim,with lion paw feet,with striped cushions,with curved armrests,\
                   with tapered wooden legs,with high arched back,with knitted blanket draped over one side",
    },
    Group {
        looks: "rustic pine,lacquered black,marble-topped,distressed blue,mahogany,industrial steel,ornate gilded,teak",
        objects: "writing desk,bookshelf,coffee table,dresser,wardrobe,nightstand,sideboard,vanity table,wine cabinet,\
                  storage chest",
        features: "with brass handles,with glass doors,with carved floral panels,with one open drawer,\
                   with hairpin legs,with dovetail joints,with mirrored front",
    },
];

pub(super) const SPORTS: &[Group] = &[
    Group {
        looks: "worn leather,autographed,vintage,dirty white,neon green,red and blue,deflated,gold-plated",
        objects: "baseball glove,football,basketball,boxing gloves,soccer ball,volleyball,rugby ball,catcher mitt,\
                  punching bag,medicine ball",
        features: "with frayed stitching,with scuffed panels,with bold white stripes,on small trophy stand,\
                   with team number patch,with thick seams,covered in dried mud",
    },
    Group {
        looks: "carbon fiber,bright yellow,scratched aluminum,classic wooden,glossy red,matte black,retro striped,sky-blue",
        objects: "tennis racket,hockey stick,golf club,snowboard,skateboard,surfboard,archery bow,cricket bat,\
                  lacrosse stick,kayak paddle",
        features: "with taped grip,with flame decals,with lightning bolt graphics,with worn edges,with rubber handle,\
                   with geometric pattern,with brass nameplate",
    },
];

pub(super) const TOYS: &[Group] = &[
    Group {
        looks: "patched,pastel,button-eyed,fuzzy brown,well-loved,knitted,rainbow-striped,one-eared",
        objects: "teddy bear,plush rabbit,rag doll,stuffed elephant,sock monkey,plush dinosaur,toy lamb,stuffed giraffe,\
                  plush octopus,toy unicorn",
        features: "with satin bow tie,wearing tiny overalls,with visible stitches,holding red heart,\
                   with floppy ears,sitting with open arms,with corduroy paws",
    },
    Group {
        looks: "wooden,tin,painted blue,wind-up,vintage,primary-colored,collectible,glow-in-the-dark",
        objects: "toy train,rocking horse,nutcracker,music box,spinning top,toy fire truck,jack-in-the-box,\
                  nesting doll,marble run,toy rocket",
        features: "with oversized key,with chipped edges,with smiling face,with star decals,with gold trim,\
                   with moving wheels,in cardboard display box",
    },
];

pub(super) const INSTRUMENTS: &[Group] = &[
    Group {
        looks: "sunburst,honey-colored,cherry red,antique walnut,ebony black,weathered maple,ivory white,hand-carved",
        objects: "acoustic guitar,violin,cello,mandolin,banjo,ukulele,electric guitar,lute,double bass,harp",
        features: "with broken string,with mother-of-pearl inlay,with scratched body,with curled scroll top,\
                   with golden tuning pegs,on wooden stand,with painted roses",
    },
    Group {
        looks: "polished brass,tarnished silver,antique copper,gold-lacquered,dented,engraved,black,ceremonial",
        objects: "trumpet,saxophone,french horn,tuba,trombone,clarinet,hunting horn,flute,bugle,cornet",
        features: "with pearl keys,with floral engraving,with leather strap,with flared bell,in open velvet case,\
                   with worn finger grips,with braided tassels",
    },
    Group {
        looks: "tribal,red lacquered,goatskin,marching,bronze,hand-painted,round,worn",
        objects: "djembe drum,snare drum,taiko drum,tambourine,bongo drums,gong,steel drum,frame drum,kettledrum,xylophone",
        features: "with crossed mallets,with rope tension cords,with zigzag pattern,with metal rivets,\
                   on folding stand,with feather ornaments,with colorful ribbons",
    },
];

pub(super) const TOOLS: &[Group] = &[
    Group {
        looks: "rusty,forged steel,heavy,oil-stained,antique,red-handled,worn,chrome-plated",
        objects: "claw hammer,pipe wrench,hand saw,chisel,pliers,screwdriver,hand plane,tin snips,mallet,brace drill",
        features: "with oak handle,with rubber grip,with rust spots,with leather wrist loop,\
                   with stamped maker mark,with wood shavings stuck on top,with brass fittings",
    },
    Group {
        looks: "yellow,dusty,compact,heavy-duty,orange,battered blue,cordless,industrial",
        objects: "power drill,circular saw,belt sander,nail gun,angle grinder,jigsaw,heat gun,impact driver,chainsaw,\
                  bench vise",
        features: "with coiled cable,with battery pack,with sawdust coating,with warning stickers,with metal guard,\
                   with two handles,with ventilation slots",
    },
];
